"""Measures systems under growing load, until it is known what each of them sustains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import MappingProxyType

from cluster.bench.online.claims import SCALE, Scales, met
from cluster.bench.online.search import RUNGS, Search, rate_of
from cluster.bench.online.sustained import TARGET
from cluster.bench.reports.document import Run
from cluster.bench.systems.catalog import System
from cluster.bench.systems.options import Plan
from cluster.bench.systems.point import sent_in_turn, sent_when_due, warnings
from cluster.bench.systems.starting import tell
from cluster.cli.errors import CliError
from cluster.workload.difficulty import Difficulties
from cluster.workload.workload import Workload

RAMP = 1 / 3
"""Share of the capacity's measurement that is left out: engines fill up."""

GIVE_UP = 1.5
"""Multiple of the longest deadline after which the client gives a query up."""

WARM_UP_CLIENTS = 8

FIRST_TIGHTER = 6
"""Rung of `rate_of`: how many times tighter deadlines are tried first."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured.

    Attributes:
        seconds: of arrivals at each rate; capacity_s: of the capacity's measurement.
        most: rates that are tried for each system.
        repeats: of each rate, with other arrivals.
        alone: queries of each kind that are asked one at a time, for the base of deadlines.
        clients: that measure the capacity.
    """

    seconds: float = 30.0
    capacity_s: float = 15.0
    most: int = 6
    repeats: int = 1
    alone: int = 16
    clients: int = 32
    slo_scale: float = 8.0


@dataclass(slots=True)
class Record:
    """What has been measured so far; what is there when it is interrupted counts.

    Attributes:
        capacity: queries per second of the reference when it never runs dry: the unit of rates.
        base_s: what an average question takes alone at the reference, by kind.
        rungs: of the ladder of rates that were measured, by system.
        common: rung at which all systems are compared; None: not known yet.
    """

    capacity: float = float("nan")
    base_s: dict[str, float] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    rungs: dict[str, set[int]] = field(default_factory=dict)
    common: int | None = None
    notes: list[str] = field(default_factory=list)


def measure(plan: Plan, size: Size, seed: int, record: Record) -> None:
    """Measure everything into ``record``.

    Raises:
        CliError: a system does not start, can't be reached, or gives no answers alone.
    """
    with plan.stage:
        _units(plan, size, seed, record)
        workload = plan.workload.with_deadlines(size.slo_scale, record.base_s)
        for group in _groups(plan):
            searches = {system: Search(most=size.most) for system in group}
            while todo := [system for system in group if searches[system].next is not None]:
                for system in todo:
                    rung = searches[system].next
                    assert rung is not None, "it was chosen for having one"
                    runs = _measure_rung(plan, size, seed, record, workload, system, rung)
                    searches[system].note(rung, in_time(runs) >= TARGET)
            if plan.reference in searches:
                low, high = searches[plan.reference].bracket
                record.common = low if low is not None else high
            for system in group:
                if record.common is None:
                    continue
                if record.common not in record.rungs[system.name]:
                    _measure_rung(plan, size, seed, record, workload, system, record.common)
                if system.told:
                    _tighten(plan, size, seed, record, system, record.common)


def _groups(plan: Plan) -> list[list[System]]:
    """Systems that are measured in turns, the reference in the first group."""
    if plan.stage.together:
        return [plan.systems]
    places = dict.fromkeys([plan.reference.place, *(system.place for system in plan.systems)])
    return [[system for system in plan.systems if system.place == place] for place in places]


def _units(plan: Plan, size: Size, seed: int, record: Record) -> None:
    """What the reference does alone and at full load: the units of deadlines and rates."""
    reference, workload = plan.reference, plan.workload
    if plan.stage.together:
        for system in plan.systems:
            _warm_up(plan, seed, system)
    url = plan.stage.url(reference.place)
    for kind in workload.kinds:
        of_kind = workload.model_copy(update={"kinds": (kind,)})
        requests = islice(of_kind.requests(seed), size.alone)
        run = sent_in_turn(reference, url, of_kind, requests, {}, 1)
        record.base_s[kind.name] = base_s(workload, seed, run)
        tell(f"{kind.name}: {record.base_s[kind.name]:.2f} s alone at {reference.name}")
    seconds = size.capacity_s
    run = sent_in_turn(reference, url, workload, workload.requests(seed), {}, size.clients, seconds)
    ends = [one.at_s + one.latency_s for one in run.served if one.answered]
    within = sum(RAMP * seconds <= end < seconds for end in ends)
    if not within:
        raise CliError(f"{reference.name} answered nothing at full load within {seconds:g} s")
    record.capacity = within / (seconds - RAMP * seconds)
    tell(f"capacity of {reference.name}: {record.capacity:.2f} queries/s")


def _warm_up(plan: Plan, seed: int, system: System) -> None:
    """Ask a system some queries: what has been idle for long is not as fast as it was, or does not
    answer at first, where the machine has put its memory to other uses."""
    requests = islice(plan.workload.requests(seed), 2 * WARM_UP_CLIENTS)
    url = plan.stage.url(system.place)
    sent_in_turn(system, url, plan.workload, requests, {}, WARM_UP_CLIENTS)


def base_s(workload: Workload, seed: int, run: Run) -> float:
    """What an average question takes alone: all latencies over all difficulties.

    Args:
        run: of the first requests of the workload, one at a time.

    Raises:
        CliError: none was answered.
    """
    difficulties = Difficulties(workload.read_questions())
    places = [request.question for request in islice(workload.requests(seed), len(run.served))]
    answered = [one for one in run.served if one.answered]
    if not answered:
        why = "; ".join(sorted({one.message for one in run.served}))
        raise CliError(f"{run.system} answered no query, alone: {why or 'none was asked'}")
    whole = sum(difficulties.of(places[one.number]) for one in answered)
    return sum(one.latency_s for one in answered) / whole


def _tighten(plan: Plan, size: Size, seed: int, record: Record, system: System, rung: int) -> None:
    """Tell a system ever tighter deadlines, at one rate: how tight they may be is no question of
    its latencies under looser ones."""
    full_by = {system.name for system in plan.systems if system.full}
    full = [one for run in record.runs if run.system in full_by for one in run.served]
    search, scales = Search(first=FIRST_TIGHTER, most=size.most), Scales()
    while (tighter := search.next) is not None:
        scale = round(size.slo_scale / rate_of(tighter), 3)
        workload = plan.workload.with_deadlines(scale, record.base_s)
        runs = _measure_rung(plan, size, seed, record, workload, system, rung, {SCALE: scale})
        scales[scale] = [one for run in runs for one in run.served]
        search.note(tighter, met(scale, scales, full, seed))


def _measure_rung(
    plan: Plan, size: Size, seed: int, record: Record, workload: Workload,
    system: System, rung: int, told: Mapping[str, float] = MappingProxyType({}),
) -> list[Run]:  # fmt: skip
    """Measure a rate; ``told`` are values of the load besides it."""
    rate = rate_of(rung)
    runs = []
    if len(plan.systems) > 1 and plan.stage.together:
        _warm_up(plan, seed, system)
    for repeat in range(size.repeats):
        # The same for all systems, another one for each rate: together they ask more questions.
        drawn = (seed * len(RUNGS) + rung - RUNGS[0]) * size.repeats + repeat
        arriving = workload.at_rate(rate * record.capacity).model_copy(
            update={"seconds": size.seconds}
        )
        requests = list(arriving.requests(drawn))
        limit_s = GIVE_UP * max((one.deadline_s or 0.0 for one in requests), default=0.0)
        load = {"rate": rate, **told, "repeat": float(repeat)}
        url = plan.stage.url(system.place)
        run = sent_when_due(system, url, arriving, requests, load, limit_s)
        runs.append(run)
        for warning in warnings(run):
            record.notes.append(warning)
            tell(warning)
    record.runs += runs
    record.rungs.setdefault(system.name, set()).add(rung)
    where = ", ".join([f"rate {rate:.2f}", *(f"{key} {value:g}" for key, value in told.items())])
    tell(f"{system.name}, {where}: {in_time(runs):.1%} in time, {_right(runs):.1%} right")
    return runs


def in_time(runs: Sequence[Run]) -> float:
    """Share of the queries of these runs that met their deadlines; of none, 1."""
    served = [one for run in runs for one in run.served]
    return sum(one.in_time for one in served) / len(served) if served else 1.0


def _right(runs: Sequence[Run]) -> float:
    answered = [one for run in runs for one in run.served if one.answered]
    return sum(one.correct for one in answered) / max(1, len(answered))
