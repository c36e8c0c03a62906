"""What the core costs, without a cluster: `python -m cluster.bench.core`.

A core is filled with programs and synthetic replicas and kept at a steady load. Timed is CPU time
in the core's own calls, garbage collection included; what the driver does between them is not.

A *branch event* is one entry of a report (a run grew, or ended) or one start that the core
commands. Submissions, the door, ticks and signs of life cost CPU time too: it is counted, and
shared among the events.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import math
import multiprocessing
import pstats
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

from pydantic import ValidationError

from cluster.bench.core.measure import Measured, measure
from cluster.bench.core.meter import Cost
from cluster.bench.core.steady import Load, Size
from cluster.bench.options import names, natural, numbers, positive
from cluster.bench.stats import as_objects, machine_load, markdown_table, percentile
from cluster.controller.memory import THRESHOLDS

GOAL_US = 20.0
"""CPU time of a branch event, at most, at the largest size."""

KINDS = ("growth", "ends", "submissions", "door", "others")
SHOWN_FUNCTIONS = 25


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print. Returns 0 if the goal is met at every largest size, else 1.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    args = _parser().parse_args(argv)
    began = machine_load()
    loads = [
        Load(Size(branches), policy, order, args.seed)
        for policy in args.policies
        for order in args.orders or (None,)
        for branches in sorted(args.sizes)
    ]
    try:
        for load in loads:
            load.settings()
            load.query()
    except ValidationError as error:
        print(f"core: {error}", file=sys.stderr)
        return 2
    found: list[Measured] = []
    try:
        for load in loads:
            found.append(_measured(load, args))
            print(f"{_name(load)}: {found[-1].event_cost_us:.1f} µs per event", file=sys.stderr)
    except KeyboardInterrupt:
        print("\ninterrupted")
    print(f"\nMachine: {began}.\n\n{report(found)}")
    if args.out is not None:
        args.out.write_text(
            json.dumps([as_objects(asdict(item)) for item in found], indent=1) + "\n"
        )
    largest = [item for item in found if item.load.size == max(f.load.size for f in found)]
    return 0 if found and all(item.event_cost_us <= GOAL_US for item in largest) else 1


def report(found: Sequence[Measured]) -> str:
    """Tables and verdicts, as markdown."""
    header = (
        "policy, order, branches", "programs", "live", "µs / event", "median", "least to most",
        "growth", "end + start", "submission", "door", "tick, life", "GC", "pause", "kB / branch",
    )  # fmt: skip
    table = markdown_table(header, [_row(item) for item in found])
    verdicts = [_verdict(group) for group in _groups(found)]
    notes = (
        "µs of CPU time. An event is an entry of a report or a start; µs / event shares all CPU "
        "time among them, all repeats together; median, least and most are of the repeats. "
        "growth: per entry of a run that goes on; end + start: per end and start, the ends of "
        "programs included; the others: per call. GC: share of garbage collection, which counts "
        "towards the call it strikes; pause: the longest one, ms. kB: of the process, the driver's "
        "replicas included."
    )
    return "\n\n".join([table, notes, *verdicts])


def _measured(load: Load, args: argparse.Namespace) -> Measured:
    """In a process of its own, whose memory and garbage are that load's; profiled, in this one."""
    if args.profile:
        profile = cProfile.Profile()
        found = measure(load, args.events, args.repeats, args.gc_every, profile)
        print(f"\n{_name(load)}, times with the profiler's own cost:")
        pstats.Stats(profile).sort_stats("tottime").print_stats(SHOWN_FUNCTIONS)
        return found
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        return pool.submit(measure, load, args.events, args.repeats, args.gc_every).result()


def _groups(found: Sequence[Measured]) -> list[list[Measured]]:
    """Those that differ by size only."""
    groups: dict[tuple[str, str | None], list[Measured]] = {}
    for item in found:
        groups.setdefault((item.load.policy, item.load.order), []).append(item)
    return list(groups.values())


def _row(item: Measured) -> list[str]:
    costs = [item.costs.get(kind, Cost()) for kind in KINDS]
    growth, ends, submissions, door, others = costs
    return [
        _name(item.load),
        f"{item.programs:,}",
        f"{item.branches:,.0f}",
        f"{item.event_cost_us:.1f}",
        f"{percentile(item.event_us, 50):.1f}",
        f"{min(item.event_us):.1f} to {max(item.event_us):.1f}",
        f"{growth.per_event_us:.1f}",
        f"{ends.per_event_us:.1f}",
        f"{submissions.per_call_us:.1f}",
        f"{door.per_call_us:.1f}",
        f"{others.per_call_us:.1f}",
        f"{item.collecting:.0%}",
        f"{item.pause_ms:.0f}",
        f"{item.bytes_per_branch / 1000:.1f}",
    ]


def _verdict(group: Sequence[Measured]) -> str:
    """Of one policy and order: the goal at the largest size, and the growth up to there."""
    first, last = group[0], group[-1]
    least, most = (item.load.size.branches for item in (first, last))
    met = "met" if last.event_cost_us <= GOAL_US else "MISSED"
    cost_us = f"{last.event_cost_us:.1f} µs per event"
    text = f"{_name(last.load)}: {cost_us}; goal: at most {GOAL_US:g}: {met}."
    if most > least > 1:
        allowed = math.log(most) / math.log(least)
        grown = last.event_cost_us / first.event_cost_us
        kept = "no more" if grown <= allowed else "MORE"
        text += (
            f" From {least:,} to {most:,} branches it grows {grown:.2f} times: {kept} than the "
            f"logarithm, {allowed:.2f} times."
        )
    return text


def _name(load: Load) -> str:
    order = "" if load.order is None else f" {load.order}"
    return f"{load.policy}{order} {load.size.branches:,}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster.bench.core",
        description="CPU time of the core per branch event, at several sizes. Needs no cluster.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--policies", type=names, default="threshold,beta,value", help="one after the other")
    add("--orders", type=names, metavar="NAMES", help="of the queue; None: the core's default")
    add("--sizes", type=numbers, default="1000,10000,100000", help="live branches")
    add("--events", type=positive, default=20_000, metavar="N", help="of a repeat; or the branches")
    add("--repeats", type=positive, default=5, metavar="N", help="of each load")
    add("--seed", type=natural, default=0, help="of lengths, answers and prompts")
    add(
        "--gc-every",
        type=positive,
        default=THRESHOLDS[0],
        metavar="N",
        help="new objects a collection",
    )
    add("--profile", action="store_true", help="where the time goes; makes all of it longer")
    add("--out", type=Path, metavar="FILE", help="also write all figures there, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
