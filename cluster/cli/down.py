"""`dynasor down`: stop what `dynasor up` started."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from cluster.cli.server import RUN_DIR, Server


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "down",
        help="stop the cluster that `dynasor up` started",
        description="Stop the cluster that `dynasor up` started, with all its Ray processes. "
        "Other clusters and processes are left alone. Does nothing if none runs.",
    )
    parser.add_argument(
        "--timeout",
        type=float,
        default=30.0,
        metavar="S",
        help="seconds it gets to stop by itself before it is killed (default: %(default)g)",
    )
    parser.add_argument(
        "--run-dir",
        type=Path,
        default=RUN_DIR,
        metavar="DIR",
        help="where `up` left pid and log (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Stop it; returns 0, also when there was nothing to stop."""
    server = Server(args.run_dir)
    if not server.members():
        server.forget()
        print("nothing to stop")
        return 0
    print("stopping …", flush=True)
    killed = server.stop(args.timeout)
    print(f"stopped; {killed} processes had to be killed" if killed else "stopped")
    return 0
