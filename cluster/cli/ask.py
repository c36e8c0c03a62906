"""`dynasor ask`: send a question to a running cluster and watch its program."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cluster.cli.client import add_url, connect, raise_for_error
from cluster.cli.errors import CliError
from cluster.cli.request import chat_body, parse_param, parse_policy, question
from dynasor.budget.effort import EFFORTS

if TYPE_CHECKING:
    import httpx

    from cluster.cli.views import View

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
    add_url(parser)
    parser.add_argument("--model", metavar="NAME", help="default: the first that is served")
    _add_program(parser.add_argument_group("program"))
    _add_terms(parser.add_argument_group("terms"))
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
        help="who decides when to stop, see /v1/programs/policies, or a JSON object with name "
        "and parameters (default: the cluster's)",
    )


def _add_terms(group: Any) -> None:
    group.add_argument(
        "--deadline", type=float, metavar="S", help="seconds after which the best answer is due"
    )
    group.add_argument(
        "--effort", choices=tuple(EFFORTS), help="how much compute, and how sure to be"
    )
    group.add_argument(
        "--max-disagreement",
        type=float,
        metavar="SHARE",
        help="share of answers that may differ from those of the full budget, as 0.01",
    )
    group.add_argument(
        "--max-total-tokens", type=int, metavar="N", help="most tokens to spend, all chains"
    )
    group.add_argument(
        "--priority", type=float, metavar="S", help="queue as if asked so many seconds earlier"
    )
    group.add_argument("--tenant", metavar="NAME", help="whose share of the cluster is used")
    group.add_argument(
        "--tag", metavar="TEXT", help="what the question is about: alike ones learn together"
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
    asked, view = question(args.question), _view(args)
    with connect(args.url, SILENCE_S) as client:
        model = args.model or _first_model(client)
        _stream(client, chat_body(args, asked, model), view)
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
    raise_for_error(response)
    try:
        return str(response.json()["data"][0]["id"])
    except (ValueError, LookupError, TypeError):
        raise CliError(f"{client.base_url} lists no models; is it the right server?") from None


def _stream(client: httpx.Client, body: dict[str, Any], view: View) -> None:
    from cluster.cli.stream import Outcome, final_progress, read_events

    ended: Outcome | None = None
    with view.running(), client.stream("POST", "/v1/chat/completions", json=body) as response:
        raise_for_error(response)
        for event in read_events(response.iter_lines()):
            if isinstance(event, Outcome):
                ended = event
                view.progress(final_progress(event.program))
            else:
                view.progress(event)
    if ended is not None:
        view.outcome(ended)
