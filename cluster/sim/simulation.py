"""A simulation from its beginning to its end, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from cluster.bench.stats import mean
from cluster.sim.capacity import alone
from cluster.sim.settings import Scenario, System
from cluster.sim.tally import Tally
from cluster.sim.world import World
from cluster.workload.served import Served
from cluster.workload.workload import Deadline

Progress = Callable[[str, float, int], None]
"""Told a system's name, the virtual time, and how many queries have ended, now and then."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What the simulation cost on this machine: the only figures that differ from run to run.

    Attributes:
        core_s: CPU time in the core's calls; call_p50_us, call_p99_us: of one call.
        decision_us: CPU time of the core per command to a replica.
        wall_s: of the whole simulation.
        core_share: CPU time of the core per second of virtual time.
    """

    core_s: float
    core_share: float
    call_p50_us: float
    call_p99_us: float
    decision_us: float
    wall_s: float


@dataclass(frozen=True, slots=True)
class Simulated:
    """One system's run.

    Attributes:
        figures: by name; the same for equal scenarios.
        timeline: as in a `Run` of a report.
        virtual_s: from the first arrival to the last end.
    """

    system: str
    figures: dict[str, float]
    tally: Tally
    timeline: tuple[dict[str, float], ...]
    virtual_s: float
    costs: Costs

    @property
    def served(self) -> tuple[Served, ...]:
        """Queries one by one, or a regular sample of very many."""
        return tuple(self.tally.kept)


def simulate(scenario: Scenario, system: System, progress: Progress = lambda *_: None) -> Simulated:
    """Let the scenario's workload run on one system.

    Raises:
        InvalidField: the system's settings; naming the field at fault.
        ValueError: the workload can't be read.
    """
    began = time.perf_counter()
    world = World(scenario, system, scenario.workload.requests())
    world.run(lambda now, done: progress(system.name, now, done))
    meter, virtual_s = world.controller.meter, world.tally.last_s
    costs = Costs(
        core_s=meter.calls.total_s,
        core_share=meter.calls.total_s / max(virtual_s, 1e-9),
        call_p50_us=1e6 * meter.calls.quantile(0.5),
        call_p99_us=1e6 * meter.calls.quantile(0.99),
        decision_us=1e6 * meter.calls.total_s / max(1, meter.commands),
        wall_s=time.perf_counter() - began,
    )
    figures = _figures(world, virtual_s)
    return Simulated(system.name, figures, world.tally, world.timeline.samples, virtual_s, costs)


def with_deadlines(scenario: Scenario) -> Scenario:
    """The scenario with its deadlines' base, which is simulated where it is left open: the mean
    time of some queries of each kind in an empty cluster without faults, under policy "even"."""
    deadline = scenario.workload.deadline
    if deadline is None or deadline.base_s is not None:
        return scenario
    base_s = {kind.name: alone(scenario, kind).seconds for kind in scenario.workload.kinds}
    timed = Deadline(slo_scale=deadline.slo_scale, base_s=base_s)
    workload = scenario.workload.model_copy(update={"deadline": timed})
    return scenario.model_copy(update={"workload": workload})


def _figures(world: World, virtual_s: float) -> dict[str, float]:
    tally, timeline = world.tally, world.timeline
    answered = tally.outcomes["answered"]
    engines = world.stand.replicas
    found: dict[str, float] = {
        "queries": tally.number,
        "answered": answered,
        "refused": tally.outcomes["refused"],
        "failed": tally.outcomes["failed"],
        "accuracy": tally.accuracy,
        "tokens": tally.tokens_per_query,
        "generated": world.stand.generated / max(1, answered),
        "branches": tally.branches / max(1, answered),
        "mean_s": mean(tally.latencies_s),
        "p50_s": tally.latency_s(50),
        "p90_s": tally.latency_s(90),
        "p99_s": tally.latency_s(99),
        "queries_per_s": answered / max(virtual_s, 1e-9),
        "tokens_per_s": tally.tokens / max(virtual_s, 1e-9),
        "price": timeline.mean("price"),
        "waiting": timeline.mean("waiting"),
        "kv_used": timeline.mean("kv_used"),
        "preempted": sum(replica.engine.load.preempted for replica in engines),
        "virtual_s": virtual_s,
    }
    if tally.with_deadline:
        found["in_time"] = tally.in_time / tally.with_deadline
    return found
