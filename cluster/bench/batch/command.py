"""`dynasor bench batch`: options, and what is written and shown in the end."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cluster.bench.options import positive
from cluster.bench.reports.options import add_options
from cluster.bench.systems.options import add_system_options

if TYPE_CHECKING:
    from cluster.bench.batch.measure import Record, Size
    from cluster.bench.reports.document import Document
    from cluster.bench.reports.environment import Environment
    from cluster.bench.systems.options import Plan

BENCH = "batch"
QUERIES, CLIENTS, REPEATS = 200, 32, 3
SMOKE = (12, 8, 1)


def add_parser(benches: Any) -> None:
    """Add the benchmark to the parser's subcommands."""
    parser = benches.add_parser(
        BENCH,
        help="tokens and time that each system takes to answer a fixed set",
        description="The same questions to each system, always with so many in flight: tokens and "
        "time until all are answered, where accuracy is that of the full budget. Starts the "
        "systems and stops them again.",
    )
    add_system_options(parser)
    add = parser.add_argument
    add("--queries", type=positive, metavar="N", help=f"in the set (default: {QUERIES})")
    add("--clients", type=positive, metavar="N", help=f"queries in flight (default: {CLIENTS})")
    add("--repeats", type=positive, metavar="N", help=f"of the whole set (default: {REPEATS})")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, write the report and show it; returns 0, or 130 if it was interrupted.

    Raises:
        CliError: an option can't be used, or a system failed; what was measured is reported first.
    """
    from cluster.bench.batch.measure import Record, measure
    from cluster.bench.systems.session import compare

    size, record = _size(args), Record()
    return compare(
        args,
        BENCH,
        lambda plan: measure(plan, size, args.seed, record),
        lambda plan, where: _document(args, plan, size, record, where) if record.runs else None,
        record.notes,
    )


def _size(args: argparse.Namespace) -> Size:
    from cluster.bench.batch.measure import Size

    queries, clients, repeats = SMOKE if args.smoke else (QUERIES, CLIENTS, REPEATS)
    return Size(args.queries or queries, args.clients or clients, args.repeats or repeats)


def _document(
    args: argparse.Namespace, chosen: Plan, size: Size, record: Record, where: Environment
) -> Document:
    from dataclasses import asdict

    from cluster.bench.batch.findings import Findings
    from cluster.bench.reports.document import Document
    from cluster.bench.reports.measures import measures

    found = Findings(chosen.systems, record.runs, chosen.reference.name, args.seed)
    return Document(
        bench=BENCH,
        **where,
        seeds=(args.seed,),
        settings={"systems": list(args.systems), **asdict(size)},
        measures=(*found.measures(), *measures(BENCH, record.runs, args.seed)),
        runs=tuple(record.runs),
        notes=(*found.notes(), *record.notes),
    )
