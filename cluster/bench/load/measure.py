"""The measurements of a load test, one after the other, each in a cluster that is empty before."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TextIO

from cluster.bench.client import RequestFailed
from cluster.bench.load.arrivals import (
    Arrival,
    Point,
    completion_rate,
    points,
    poisson,
    queries,
)
from cluster.bench.load.asking import Asked, Asker, asker, in_turn
from cluster.bench.load.mix import Mix
from cluster.bench.stats import as_objects, mean, percentile
from cluster.models.abacus.problems import make_problems

ALONE_POLICY = "even"
"""What capacity and times alone are measured with: no adaptation."""

RAMP = 1 / 3
"""Share of the capacity's measurement that is left out: engines fill up."""

WAY_S = 0.05
"""A deadline is sent this much earlier than it is: for the way there and back."""

Alone = dict[tuple[str, int], float]
"""Seconds in an empty cluster, by kind and level."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. ``rates``: multiples of the capacity; ``turns``: measurements of each rate
    and policy; ``seconds``: of arrivals in each; see the options for the rest."""

    mix: Mix
    levels: tuple[int, ...]
    policies: tuple[str, ...]
    rates: tuple[float, ...]
    seconds: float
    turns: int = 1
    seed: int = 0
    slo_scale: float = 3.0
    send_deadlines: bool = False
    repeats_alone: int = 2
    clients: int = 32
    capacity_s: float = 30.0
    limit_s: float = 90.0


@dataclass(frozen=True, slots=True)
class PointRun:
    """One point: all that was asked, in the order of arrival.

    Attributes:
        client_cpu: share of one core that this client took, in [0, 1].
        wall_s: until the cluster was empty again.
    """

    point: Point
    asked: tuple[Asked, ...]
    client_cpu: float
    wall_s: float


@dataclass(slots=True)
class Record:
    """What has been measured so far. ``capacity``: queries per second; None: not yet."""

    alone: Alone = field(default_factory=dict)
    capacity: float | None = None
    runs: list[PointRun] = field(default_factory=list)


Note = Callable[[str, dict[str, Any]], None]
"""Takes what kind of line it is, and what it says."""


async def measure(url: str, model: str | None, plan: Plan, record: Record, note: Note) -> None:
    """Measure everything into ``record``; what is there when it is cancelled counts.

    Raises:
        RequestFailed: the cluster can't be reached, does not become empty, or an empty one does not
            answer.
    """
    async with asker(url, model, plan.limit_s) as ask:
        await ask.empty()
        record.alone = await _alone(ask, plan)
        for (kind, level), seconds in record.alone.items():
            note("alone", {"of": kind, "level": level, "seconds": seconds})
        await ask.empty()
        record.capacity = await _capacity(ask, plan)
        note("capacity", {"queries_per_s": record.capacity})
        order = points(plan.rates, plan.policies, plan.turns)
        for number, point in enumerate(order, 1):
            await ask.empty()
            run = await _run_point(ask, plan, point, record.capacity, record.alone)
            record.runs.append(run)
            _note_run(note, run)
            _say(f"{number} of {len(order)} points: {_short(run)}")


def log_to(file: TextIO | None) -> Note:
    """Writes every note as one line of JSON, at once; None: nowhere."""

    def note(kind: str, what: dict[str, Any]) -> None:
        if file is not None:
            file.write(json.dumps({"line": kind, **as_objects(what)}, default=_plain) + "\n")
            file.flush()

    return note


async def _alone(ask: Asker, plan: Plan) -> Alone:
    """Median latency of each kind and level, one query at a time."""
    _say("one query at a time: what each kind takes alone")
    found: Alone = {}
    for kind in plan.mix.kinds:
        for level in plan.levels:
            # The first one of a kind warms up.
            warm_up = 1 if level == plan.levels[0] else 0
            problems = make_problems(level, plan.repeats_alone + warm_up, plan.seed)
            took = []
            for number, problem in enumerate(problems):
                arrival = Arrival(number, 0.0, kind, problem)
                asked = await ask.ask(arrival, ALONE_POLICY, time.perf_counter())
                if not asked.answered:
                    raise RequestFailed(f"{kind.name}, alone: {asked.message}")
                took.append(asked.latency_s)
            found[kind.name, level] = percentile(took[warm_up:], 50)
    return found


async def _capacity(ask: Asker, plan: Plan) -> float:
    """Queries per second that clients get answered who send their next one at once."""
    _say(f"{plan.clients} clients without pause: the capacity")
    endless = queries(plan.mix, plan.levels, Random(f"capacity:{plan.seed}"))
    arrivals = (Arrival(n, 0.0, kind, problem) for n, (kind, problem) in enumerate(endless))
    done = await in_turn(ask, arrivals, ALONE_POLICY, plan.clients, plan.capacity_s)
    finished = [at for at, asked in done if asked.answered]
    rate = completion_rate(finished, RAMP * plan.capacity_s, plan.capacity_s)
    if not rate > 0:
        messages = {asked.message for _, asked in done if asked.message}
        raise RequestFailed(f"no query was answered at full load: {'; '.join(sorted(messages))}")
    _say(f"capacity: {rate:.2f} queries/s")
    return rate


async def _run_point(
    ask: Asker, plan: Plan, point: Point, capacity: float, alone: Alone
) -> PointRun:
    """Send queries as they arrive, whatever becomes of them, and wait until all have ended."""
    seed = f"{plan.seed}:{point.rate}:{point.turn}"
    arrivals = poisson(plan.mix, plan.levels, point.rate * capacity, plan.seconds, seed)
    began, cpu_s = time.perf_counter(), time.process_time()
    tasks = []
    async with asyncio.TaskGroup() as group:
        for arrival in arrivals:
            due = began + arrival.at_s
            await asyncio.sleep(due - time.perf_counter())
            alone_s = alone[arrival.kind.name, arrival.problem.level]
            deadline_s = plan.slo_scale * alone_s
            sent = max(WAY_S, deadline_s - WAY_S) if plan.send_deadlines else None
            asking = ask.ask(arrival, point.policy, due, deadline_s, alone_s, sent)
            tasks.append(group.create_task(asking))
    await ask.empty()
    wall_s = time.perf_counter() - began
    return PointRun(
        point=point,
        asked=tuple(task.result() for task in tasks),
        client_cpu=(time.process_time() - cpu_s) / wall_s,
        wall_s=wall_s,
    )


def _note_run(note: Note, run: PointRun) -> None:
    for asked in run.asked:
        note("query", {**run.point._asdict(), **asdict(asked)})
    cost = {"client_cpu": run.client_cpu, "wall_s": run.wall_s}
    note("point", {**run.point._asdict(), "queries": len(run.asked), **cost})


def _short(run: PointRun) -> str:
    answered = [asked for asked in run.asked if asked.answered]
    latency = percentile([asked.latency_s for asked in answered], 50)
    right = mean([asked.correct for asked in run.asked])
    return (
        f"{run.point.rate:g} times capacity under {run.point.policy}: {len(run.asked)} queries, "
        f"{right:.1%} right, P50 {latency:.2f} s, {run.wall_s:.0f} s"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mix):
        return value.model_dump()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
