"""`dynasor bench online`: options, and what is written and shown in the end."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cluster.bench.options import above_zero, positive
from cluster.bench.reports.options import add_options
from cluster.bench.systems.options import SYSTEMS, add_system_options

if TYPE_CHECKING:
    from cluster.bench.online.measure import Record, Size
    from cluster.bench.reports.document import Document
    from cluster.bench.reports.environment import Environment
    from cluster.bench.systems.options import Plan

BENCH = "online"
SMOKE: dict[str, Any] = {"seconds": 4.0, "capacity_s": 4.0, "alone": 3, "most": 2, "clients": 8}


def add_parser(benches: Any) -> None:
    """Add the benchmark to the parser's subcommands."""
    parser = benches.add_parser(
        BENCH,
        help="how much load each system takes while deadlines are met",
        description="Open-loop Poisson arrivals. For each system, the highest rate at which 90% "
        "of the deadlines are met, found by bisection over a ladder of rates; and the tightest "
        "deadlines that it would meet at the highest rate that the reference sustains; those that "
        "are told deadlines are told ever tighter ones there. A deadline "
        "is the scale times the question's difficulty times what an average question takes alone "
        "at the reference: the peer, if it is there. Starts the systems and stops them again.",
    )
    add_system_options(parser, f"{SYSTEMS},value-deadline")
    add = parser.add_argument
    add("--slo-scale", type=above_zero, default=8.0, metavar="X", help="default: %(default)g")
    add(
        "--seconds",
        type=above_zero,
        metavar="S",
        help="of arrivals at each rate (default: 30)",
    )
    add("--points", type=positive, metavar="N", help="rates tried for each system (default: 6)")
    add("--repeats", type=positive, default=1, metavar="N", help="of each rate (default: 1)")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, write the report and show it; returns 0, or 130 if it was interrupted.

    Raises:
        CliError: an option can't be used, or a system failed; what was measured is reported first.
    """
    from cluster.bench.online.measure import Record, measure
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
    from cluster.bench.online.measure import Size

    asked = {"seconds": args.seconds, "most": args.points}
    given = {name: value for name, value in asked.items() if value is not None}
    smoke = SMOKE if args.smoke else {}
    return Size(**{**smoke, **given}, slo_scale=args.slo_scale, repeats=args.repeats)


def _document(
    args: argparse.Namespace, chosen: Plan, size: Size, record: Record, where: Environment
) -> Document:
    from dataclasses import asdict

    from cluster.bench.online.findings import Findings
    from cluster.bench.online.search import rate_of
    from cluster.bench.reports.document import Document, Measure
    from cluster.bench.reports.measures import measures

    common = None if record.common is None else rate_of(record.common)
    reference, unit = chosen.reference.name, record.capacity
    found = Findings(chosen.systems, record.runs, reference, unit, common, args.seed)
    capacity = Measure(
        name=f"online/{reference}/capacity", value=unit, low=unit, high=unit, unit="queries/s"
    )
    notes = [
        f"Rates are multiples of {unit:.2f} queries/s, which {reference} answers when it never "
        f"runs dry ({size.clients} clients without pause).",
        f"Deadlines: {size.slo_scale:g} times the question's difficulty times what an average "
        f"question takes alone at {reference}: "
        + ", ".join(f"{kind} {base:.2f} s" for kind, base in record.base_s.items())
        + ". Only systems whose name ends in -deadline are told.",
        *([f"tightest_deadline: at rate {common:g}, the scale of deadlines of which 90% are met; "
           "of a system that is told deadlines, when it is told such ones."]
          if common is not None else []),
        *found.notes(),
        *record.notes,
    ]  # fmt: skip
    return Document(
        bench=BENCH,
        **where,
        seeds=(args.seed,),
        settings={"systems": list(args.systems), **asdict(size)},
        measures=(capacity, *found.measures(), *measures(BENCH, record.runs, args.seed)),
        runs=tuple(record.runs),
        notes=tuple(notes),
    )
