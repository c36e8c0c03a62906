"""The `dynasor` command line."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from cluster.cli.errors import CliError

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (failed), 2 (wrong use), 130 (Ctrl-C).

    Args:
        argv: arguments without the program's name; None: those of this process.

    Raises:
        SystemExit: arguments that argparse refuses, or a request for help.
    """
    args = _parser().parse_args(argv)
    try:
        status: int = args.run(args)
        sys.stdout.flush()
        return status
    except CliError as error:
        print(f"dynasor: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("dynasor: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Else Python complains once more when it flushes stdout on its way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    # Here, so that importing this package costs nothing.
    from cluster.cli.ask import add_parser as add_ask
    from cluster.cli.bench import add_parser as add_bench
    from cluster.cli.down import add_parser as add_down
    from cluster.cli.profile_engine import add_parser as add_profile_engine
    from cluster.cli.record import add_parser as add_record
    from cluster.cli.replay import add_parser as add_replay
    from cluster.cli.simulate import add_parser as add_simulate
    from cluster.cli.status import add_parser as add_status
    from cluster.cli.up import add_parser as add_up

    parser = argparse.ArgumentParser(
        prog="dynasor", description="Serve reasoning programs, and ask them."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_ask(commands)
    add_up(commands)
    add_status(commands)
    add_down(commands)
    add_record(commands)
    add_replay(commands)
    add_profile_engine(commands)
    add_bench(commands)
    add_simulate(commands)
    return parser
