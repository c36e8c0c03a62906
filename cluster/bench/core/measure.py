"""One load, timed."""

from __future__ import annotations

import cProfile
import gc
from dataclasses import dataclass

import psutil

from cluster.bench.core.meter import Cost, Meter
from cluster.bench.core.steady import Load, SteadyState
from cluster.bench.stats import mean
from cluster.controller.memory import THRESHOLDS


@dataclass(frozen=True, slots=True)
class Measured:
    """A load and what it cost.

    Attributes:
        programs: live when the measurement began.
        branches: live at the beginning of the repeats, on average.
        event_us: CPU time per event in each repeat.
        costs: by kind, all repeats together.
        collecting: share of the CPU time that was garbage collection, in [0, 1].
        pause_ms: the longest collection: nothing else happens meanwhile.
        bytes_per_branch: memory of the process, less what it had before, per live branch.
    """

    load: Load
    programs: int
    branches: float
    event_us: tuple[float, ...]
    costs: dict[str, Cost]
    collecting: float
    pause_ms: float
    bytes_per_branch: float

    @property
    def event_cost_us(self) -> float:
        """CPU time per event over all repeats: collections of everything, which few repeats have,
        are in it."""
        return sum(self.costs.values(), Cost()).per_event_us


def measure(
    load: Load,
    events: int,
    repeats: int,
    gc_every: int,
    profile: cProfile.Profile | None = None,
) -> Measured:
    """Fill a core, warm it up, and time it.

    Args:
        events: of a repeat; as many as there are branches if these are more, so that collections
            of everything come as often as they do.
        gc_every: new objects from one garbage collection to the next.
    """
    gc.set_threshold(gc_every, *THRESHOLDS[1:])
    events = max(events, load.size.branches)
    gc.collect()
    process = psutil.Process()
    before = process.memory_info().rss
    branches: list[int] = []
    event_us: list[float] = []
    costs: dict[str, Cost] = {}
    collecting_s = longest_s = 0.0
    with Meter() as meter:
        state = SteadyState(load, meter)
        state.fill()
        programs, memory = len(state.core.programs), process.memory_info().rss - before
        per_branch = memory / state.live_branches
        for _ in range(repeats):
            meter.profile = None
            state.top_up()
            branches.append(state.live_branches)
            meter.reset()
            meter.profile = profile
            state.run(events)
            event_us.append(meter.total.per_event_us)
            collecting_s += meter.collecting_s
            longest_s = max(longest_s, meter.longest_s)
            for kind, cost in meter.costs.items():
                costs[kind] = costs.get(kind, Cost()) + cost
    total_s = sum(cost.cpu_s for cost in costs.values())
    return Measured(
        load=load,
        programs=programs,
        branches=mean(branches),
        event_us=tuple(event_us),
        costs=costs,
        collecting=collecting_s / total_s,
        pause_ms=1000 * longest_s,
        bytes_per_branch=per_branch,
    )
