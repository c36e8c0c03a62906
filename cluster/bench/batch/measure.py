"""Puts a fixed set of questions to each system, several times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from cluster.bench.reports.document import Run
from cluster.bench.systems.catalog import System
from cluster.bench.systems.options import Plan
from cluster.bench.systems.point import sent_in_turn, warnings
from cluster.bench.systems.starting import tell

WARM_UP = 16


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured. ``clients``: queries in flight."""

    queries: int = 200
    clients: int = 32
    repeats: int = 3


@dataclass(slots=True)
class Record:
    """What has been measured so far; what is there when it is interrupted counts."""

    runs: list[Run] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def measure(plan: Plan, size: Size, seed: int, record: Record) -> None:
    """Measure everything into ``record``.

    Raises:
        CliError: a system does not start, or can't be reached.
    """
    with plan.stage:
        for system, repeat in order(plan.systems, size.repeats, plan.stage.together):
            url = plan.stage.url(system.place)
            if repeat == 0:
                few = islice(plan.workload.requests(seed + 1), min(WARM_UP, size.queries))
                sent_in_turn(system, url, plan.workload, few, {}, size.clients)
            requests = islice(plan.workload.requests(seed), size.queries)
            load = {"repeat": float(repeat)}
            run = sent_in_turn(system, url, plan.workload, requests, load, size.clients)
            record.runs.append(run)
            # Nobody is late here: there is nothing that a query is due at.
            record.notes += warnings(run)
            tokens = sum(one.tokens for one in run.served) / max(1, len(run.served))
            tell(f"{system.name}, repeat {repeat}: {run.wall_s:.1f} s, {tokens:.0f} tokens a query")


def order(systems: Sequence[System], repeats: int, together: bool) -> list[tuple[System, int]]:
    """All measurements: systems in turns, another one first each time, or, where only one place can
    run, all repeats of a place before the next."""
    if together:
        turns = []
        for repeat in range(repeats):
            first = repeat % len(systems)
            turns += [(one, repeat) for one in (*systems[first:], *systems[:first])]
        return turns
    places = dict.fromkeys(system.place for system in systems)
    return [
        (system, repeat)
        for place in places
        for repeat in range(repeats)
        for system in systems
        if system.place == place
    ]
