"""One run of a benchmark that compares systems, from its options to its report."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from cluster.bench.reports.document import Document
from cluster.bench.reports.environment import Environment, environment
from cluster.bench.reports.options import out_directory
from cluster.bench.systems.options import Plan, plan
from cluster.bench.systems.showing import report
from cluster.bench.systems.starting import interruptible
from cluster.cli.errors import CliError

INTERRUPTED = 130
SMOKE_SYSTEMS = ("even", "value")


def compare(
    args: argparse.Namespace,
    bench: str,
    measure: Callable[[Plan], None],
    document: Callable[[Plan, Environment], Document | None],
    notes: list[str],
) -> int:
    """Measure, write the report and show it; what is there when it ends early is reported, too.

    Args:
        bench: its name.
        measure: does it, and keeps what is complete.
        document: of what was kept; None: nothing was.
        notes: of the document; is told why it ended early.

    Returns:
        0, or 130 if it was interrupted.

    Raises:
        CliError: an option can't be used, or a system failed.
    """
    where = environment()
    directory = out_directory(args, bench)
    if args.smoke:
        args.systems = [name for name in args.systems if name in SMOKE_SYSTEMS] or args.systems
    chosen = plan(args, directory / "systems")
    status, failure = 0, None
    try:
        with interruptible():
            measure(chosen)
    except KeyboardInterrupt:
        notes.append("interrupted: what was not complete is left out")
        status = INTERRUPTED
    except CliError as error:
        notes.append(f"ended early: {error}")
        failure = error
    made = document(chosen, where)
    if made is not None:
        report(made, directory)
    if failure is not None:
        raise failure
    return status
