"""Repeats of a simulation with other seeds: what its figures vary by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from statistics import fmean, stdev

from cluster.bench.reports.changes import t_quantile
from cluster.bench.stats import Interval, share_interval
from cluster.sim.settings import Scenario
from cluster.sim.simulation import Simulated


def with_seed(scenario: Scenario, repeat: int) -> Scenario:
    """The scenario of a repeat, from 0 on: its workload's seed is that much higher."""
    seed = scenario.workload.seed + repeat
    return scenario.model_copy(
        update={"workload": scenario.workload.model_copy(update={"seed": seed})}
    )


def by_system(found: Sequence[Simulated]) -> dict[str, list[Simulated]]:
    """The repeats of each system, in order."""
    systems: dict[str, list[Simulated]] = {}
    for one in found:
        systems.setdefault(one.system, []).append(one)
    return systems


def values(repeats: Sequence[Simulated]) -> dict[str, tuple[float, ...]]:
    """Every figure and cost that all repeats have, of each repeat."""
    every = [{**one.figures, **asdict(one.costs)} for one in repeats]
    names = [
        name for name in every[0] if all(not math.isnan(one.get(name, math.nan)) for one in every)
    ]
    return {name: tuple(one[name] for one in every) for name in names}


def interval(name: str, repeats: Sequence[Simulated]) -> Interval:
    """A figure's mean over repeats with Student's interval. Of one repeat alone only shares of
    queries have an interval; the others are told as they are."""
    found = values(repeats)[name]
    middle = fmean(found)
    if len(found) > 1:
        half = t_quantile(len(found) - 1) * stdev(found) / math.sqrt(len(found))
        return Interval(middle, middle - half, middle + half)
    tally = repeats[0].tally
    counts = {
        "accuracy": (tally.correct, tally.number),
        "in_time": (tally.in_time, tally.with_deadline),
    }
    if name not in counts:
        return Interval(middle, middle, middle)
    hits, of = counts[name]
    return share_interval([1.0] * hits + [0.0] * (of - hits))
