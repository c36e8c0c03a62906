"""`dynasor up`: start a cluster on this machine and wait until it serves."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from cluster.cli.client import URL
from cluster.cli.config import Config, read_config
from cluster.cli.errors import CliError
from cluster.cli.server import RUN_DIR, Server

POLL_S = 0.25
SAY_EVERY_S = 10.0
TAIL_LINES = 25
STOP_TIMEOUT_S = 15.0
QUESTION = "Start with 12. Multiply by 3. Subtract 6. Add 9. What is the result?"

RAY_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # By default Ray gives everything else on the machine precedence over its workers, which here
    # are servers: any busy program beside them would multiply their latency.
    "RAY_worker_niceness": "0",
    # One event loop per replica instead of three in three threads: every call on a request's way
    # is handed over less often. Nothing in the replicas blocks its loop once it has started.
    "RAY_SERVE_RUN_USER_CODE_IN_SEPARATE_THREAD": "0",
    "RAY_SERVE_RUN_ROUTER_IN_SEPARATE_LOOP": "0",
    # By default Serve's controller looks at everything ten times a second, and every replica hands
    # on its metrics as often: together 5% of a core in an idle cluster of five replicas.
    "RAY_SERVE_CONTROL_LOOP_INTERVAL_S": "0.5",
    "RAY_SERVE_METRICS_EXPORT_INTERVAL_MS": "2000",
    "RAY_DEDUP_LOGS": "0",
    "RAY_COLOR_PREFIX": "0",
    "PYTHONUNBUFFERED": "1",
}


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "up",
        help="start a cluster on this machine",
        description="Start `serve run CONFIG` in the background and wait until it serves. "
        "Stop it with `dynasor down`.",
    )
    parser.add_argument(
        "config", type=Path, metavar="CONFIG.yaml", help="a Serve config, see serve_configs/"
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=180.0,
        metavar="S",
        help="seconds it has until it must serve (default: %(default)g)",
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=RUN_DIR,
        metavar="DIR",
        help="where its log and pid are kept (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Start it, or find it running; returns 0.

    Raises:
        CliError: it did not come up; nothing is left running then.
    """
    config, server = read_config(args.config), Server(args.run_dir)
    if engines(config):
        print(f"already running at {config.url}")
        return 0
    with _waiting(config) as show:
        took_s = bring_up(config, server, args.timeout, show)
    print(f"ready after {took_s:.0f} s: {config.url}/v1  (log: {server.log})")
    print(f"\nTry:\n  {_curl(config)}\n  {_ask(config)}\nStop it: {_command('down')}")
    return 0


def bring_up(
    config: Config, server: Server, timeout_s: float, show: Callable[[float], None]
) -> float:
    """Start the cluster of a config and wait until all its engines are ready.

    Args:
        timeout_s: it has until then.
        show: is told, again and again, for how many seconds it has been starting.

    Returns:
        How many seconds it took.

    Raises:
        CliError: it did not come up; nothing is left running then.
    """
    _check_free(config, server)
    started = time.monotonic()
    process = _start(config, server)
    try:
        _wait(config, server, process, timeout_s, show)
    except BaseException:
        server.stop(STOP_TIMEOUT_S)
        raise
    return time.monotonic() - started


def engines(config: Config) -> int:
    """How many engines the cluster at the config's address has ready; 0 if there is none."""
    import httpx

    try:
        reply = httpx.get(f"{config.url}/health", timeout=2.0, trust_env=False)
        status = reply.json() if reply.status_code == 200 else {"replicas": 0, "scorers": 0}
        return int(status["replicas"]) + int(status["scorers"])
    except (httpx.HTTPError, ValueError, TypeError, KeyError):
        return 0


def _check_free(config: Config, server: Server) -> None:
    if server.members():
        where = f"see {server.log}, or stop it with `dynasor down`"
        raise CliError(f"a server was started here and does not serve at {config.url}: {where}")
    server.forget()
    try:
        socket.create_connection(config.address, timeout=1.0).close()
    except OSError:
        return
    raise CliError(f"port {config.port} is taken by another program, which is no healthy cluster")


def _start(config: Config, server: Server) -> subprocess.Popen[bytes]:
    serve = Path(sys.executable).with_name("serve")
    if not serve.is_file():
        raise CliError(f"{serve} is missing: install the project's environment, see README.md")
    # An address of its own: with none, Ray would join a cluster that runs here already.
    command = [str(serve), "run", "--address", "local", str(config.path)]
    return server.start(command, {**RAY_ENVIRONMENT, **os.environ})


def _wait(
    config: Config,
    server: Server,
    process: subprocess.Popen[bytes],
    timeout_s: float,
    show: Callable[[float], None],
) -> None:
    started = time.monotonic()
    while (ready := engines(config)) < config.engines:
        try:
            status = process.wait(POLL_S)
            raise CliError(_failed(server, f"it ended with status {status}"))
        except subprocess.TimeoutExpired:
            elapsed = time.monotonic() - started
        if elapsed > timeout_s:
            short = f"{ready} of {config.engines} engines are ready"
            raise CliError(_failed(server, f"after {timeout_s:g} s {short}"))
        show(elapsed)


@contextmanager
def _waiting(config: Config) -> Iterator[Callable[[float], None]]:
    """Gives a function that shows how long it takes, in seconds."""
    said = f"starting {config.path}"
    if sys.stdout.isatty():
        from rich.console import Console

        with Console().status(said) as status:
            yield lambda elapsed: status.update(f"{said} … {elapsed:.0f} s")
        return
    print(f"{said} …", flush=True)
    next_at = SAY_EVERY_S

    def say(elapsed: float) -> None:
        nonlocal next_at
        if elapsed >= next_at:
            next_at += SAY_EVERY_S
            print(f"… {elapsed:.0f} s", flush=True)

    yield say


def _failed(server: Server, why: str) -> str:
    return f"{why}; the end of {server.log}:\n{server.tail(TAIL_LINES)}"


def _curl(config: Config) -> str:
    body = {
        "model": config.model,
        "messages": [{"role": "user", "content": QUESTION}],
        "program": {"max_branches": 8},
    }
    sent = ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return shlex.join(["curl", "-s", f"{config.url}/v1/chat/completions", *sent])


def _ask(config: Config) -> str:
    url = [] if config.url == URL else ["--url", config.url]
    return _command("ask", QUESTION, *url)


def _command(*arguments: str) -> str:
    """A command line that works here, also where the environment is not activated."""
    program = Path(sys.executable).with_name("dynasor")
    with suppress(ValueError):
        program = program.relative_to(Path.cwd())
    return shlex.join([str(program), *arguments])
