"""`dynasor ask`: send a question to a running cluster and watch its program."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cluster.cli.errors import CliError
from cluster.cli.request import chat_body, parse_param, parse_policy, question

if TYPE_CHECKING:
    import httpx

    from cluster.cli.views import View

URL = "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 5.0
SILENCE_S = 60.0
"""A server that lives sends something every 15 seconds."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "ask",
        help="ask a running cluster",
        description="Send a question to a running cluster and watch how it is answered.",
    )
    parser.add_argument("question", help="what to ask; - reads it from standard input")
    parser.add_argument("--url", default=URL, help="the cluster's address (default: %(default)s)")
    parser.add_argument("--model", metavar="NAME", help="default: the first that is served")
    _add_program(parser.add_argument_group("program"))
    _add_sampling(parser.add_argument_group("prompt and sampling"))
    output = parser.add_argument_group("output")
    output.add_argument("--quiet", action="store_true", help="don't show the chosen reasoning")
    output.add_argument(
        "--json", action="store_true", help="print only the final program object, as JSON"
    )
    parser.set_defaults(run=run)


def _add_program(group: Any) -> None:
    group.add_argument(
        "--algorithm",
        metavar="NAME",
        help="how to reason, see /v1/programs/algorithms (default: the server's)",
    )
    group.add_argument(
        "--param",
        action="append",
        default=[],
        type=parse_param,
        metavar="KEY=VALUE",
        help="a parameter of the algorithm; may be given several times",
    )
    group.add_argument("--max-branches", type=int, metavar="N", help="most chains to sample")
    group.add_argument(
        "--policy",
        type=parse_policy,
        metavar="NAME",
        help="who decides when to stop: threshold, even, or a JSON object with name and "
        "parameters (default: the cluster's)",
    )
    group.add_argument(
        "--deadline", type=float, metavar="S", help="seconds after which the best answer is due"
    )


def _add_sampling(group: Any) -> None:
    group.add_argument("--system", metavar="TEXT", help="system message")
    group.add_argument("--temperature", type=float, metavar="T")
    group.add_argument("--max-tokens", type=int, metavar="N", help="most tokens of one chain")
    group.add_argument("--seed", type=int, metavar="N", help="makes sampling repeatable")


def run(args: argparse.Namespace) -> int:
    """Ask; returns 0.

    Raises:
        CliError: the server can't be reached, or refused or failed the request.
        KeyboardInterrupt: Ctrl-C; the connection is closed, which cancels the program.
    """
    import httpx

    asked, view = question(args.question), _view(args)
    timeout = httpx.Timeout(SILENCE_S, connect=CONNECT_TIMEOUT_S)
    try:
        with httpx.Client(base_url=args.url, timeout=timeout) as client:
            model = args.model or _first_model(client)
            _stream(client, chat_body(args, asked, model), view)
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise CliError(
            f"no server at {args.url}; start one with: dynasor up serve_configs/local.yaml"
        ) from None
    except httpx.UnsupportedProtocol:
        raise CliError(f"--url must begin with http:// or https://, got {args.url!r}") from None
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise CliError(f"the connection to {args.url} broke: {reason}") from None
    return 0


def _view(args: argparse.Namespace) -> View:
    from rich.console import Console

    from cluster.cli.views import JsonView, LiveView, PlainView

    if args.json:
        return JsonView(sys.stdout)
    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveView(console, args.quiet)
    return PlainView(sys.stdout, args.quiet)


def _first_model(client: httpx.Client) -> str:
    response = client.get("/v1/models")
    _raise_for_error(response)
    try:
        return str(response.json()["data"][0]["id"])
    except (ValueError, LookupError, TypeError):
        raise CliError(f"{client.base_url} lists no models; is it the right server?") from None


def _stream(client: httpx.Client, body: dict[str, Any], view: View) -> None:
    from cluster.cli.stream import Outcome, final_progress, read_events

    ended: Outcome | None = None
    with view.running(), client.stream("POST", "/v1/chat/completions", json=body) as response:
        _raise_for_error(response)
        for event in read_events(response.iter_lines()):
            if isinstance(event, Outcome):
                ended = event
                view.progress(final_progress(event.program))
            else:
                view.progress(event)
    if ended is not None:
        view.outcome(ended)


def _raise_for_error(response: httpx.Response) -> None:
    if response.is_success:
        return
    from cluster.cli.stream import error_message

    response.read()
    try:
        message = error_message(response.json())
    except ValueError:
        message = response.text.strip()[:500]
    raise CliError(f"{message or 'no message'} (HTTP {response.status_code})")
