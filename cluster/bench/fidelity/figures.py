"""How far a simulation is from what it simulates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from cluster.bench.reports.document import Measure, Run
from cluster.bench.reports.figures import Load, grouped
from cluster.bench.stats import (
    Interval,
    Statistic,
    Values,
    difference_of_means,
    markdown_table,
    mean,
    paired_bootstrap,
    percentile,
    ratio_of_sums,
)
from cluster.workload.served import Served

TOLERANCE = 0.15
"""By how much a simulated figure may be off."""

SIMULATED = " simulated"
"""What follows the policy's name in the runs of a report."""

RANKED = ("mean_s", "p90_s", "tokens")
"""Figures by which policies are ranked."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One figure of one policy under one load, all repeats together.

    Attributes:
        ratio: simulated over real; its interval is that of both sides' chance.
    """

    policy: str
    load: Load
    figure: str
    real: float
    simulated: float
    ratio: Interval

    @property
    def close(self) -> bool:
        """Within the tolerance."""
        return abs(self.ratio.value - 1) <= TOLERANCE


@dataclass(frozen=True, slots=True)
class Order:
    """Two policies under one load that differ in reality by more than chance.

    Attributes:
        kept: the simulation puts them in the same order.
    """

    policies: tuple[str, str]
    load: Load
    figure: str
    kept: bool


def pairs(runs: Sequence[Run], seed: int = 0) -> list[Pair]:
    """All figures of all policies and loads that were both measured and simulated."""
    groups = grouped(runs)
    return [
        pair
        for (system, load), real in groups.items()
        if (simulated := groups.get((system + SIMULATED, load)))
        for pair in _pairs(system, load, real, simulated, seed)
    ]


def orders(runs: Sequence[Run], seed: int = 0) -> list[Order]:
    """Whether policies rank the same, wherever it is known how they rank in reality."""
    groups = grouped(runs)
    loads = list(dict.fromkeys(load for _, load in groups))
    found = []
    for load in loads:
        policies = [
            system for system, of in groups if of == load and (system + SIMULATED, load) in groups
        ]
        for first, second in combinations(policies, 2):
            for figure in RANKED:
                real = _difference(groups[first, load], groups[second, load], figure, seed)
                if real.low <= 0 <= real.high:
                    continue
                simulated = _difference(
                    groups[first + SIMULATED, load], groups[second + SIMULATED, load], figure, seed
                )
                kept = (simulated.value > 0) == (real.value > 0)
                found.append(Order((first, second), load, figure, kept))
    return found


def measures(found: Sequence[Pair], ranks: Sequence[Order]) -> tuple[Measure, ...]:
    """Every ratio, the worst, and the shares that are close and keep their order."""
    listed = [
        Measure(
            name="/".join(["fidelity", pair.policy, *_values(pair.load), pair.figure]),
            value=pair.ratio.value,
            low=pair.ratio.low,
            high=pair.ratio.high,
        )
        for pair in found
    ]
    if found:
        off = max(abs(pair.ratio.value - 1) for pair in found)
        listed.append(_one("fidelity/worst", off, "lower", TOLERANCE))
        listed.append(_one("fidelity/close", mean([pair.close for pair in found]), "higher", 1.0))
    if ranks:
        kept = mean([one.kept for one in ranks])
        listed.append(_one("fidelity/orders kept", kept, "higher", 1.0))
    return tuple(listed)


def tables(found: Sequence[Pair], ranks: Sequence[Order]) -> str:
    """Side by side, as markdown."""
    header = ("load, policy", "figure", "real", "simulated", "simulated / real", "within 15%")
    rows = [
        [
            " ".join([*_values(pair.load), pair.policy]),
            pair.figure,
            f"{pair.real:.3f}",
            f"{pair.simulated:.3f}",
            f"{pair.ratio.value:.2f} ({pair.ratio.low:.2f} to {pair.ratio.high:.2f})",
            "yes" if pair.close else "NO",
        ]
        for pair in found
    ]
    kept = sum(one.kept for one in ranks)
    told = [f"Orders of two policies that are certain in reality: {len(ranks)}, kept: {kept}."]
    told += [
        f"NOT kept: {' and '.join(one.policies)}, by {one.figure}, {' '.join(_values(one.load))}"
        for one in ranks
        if not one.kept
    ]
    return "\n".join([markdown_table(header, rows), "", *told])


def _pairs(
    policy: str, load: Load, real: Sequence[Run], simulated: Sequence[Run], seed: int
) -> Iterator[Pair]:
    both = _answered_by_both(real, simulated)
    latencies = [[one.latency_s for one in side] for side in both]
    tokens = [[float(one.tokens) for one in side] for side in both]
    for figure, (left, right), statistic, single in (
        ("mean_s", latencies, ratio_of_sums, mean),
        ("p90_s", latencies, _ratio_of_p90, _p90),
        ("tokens", tokens, ratio_of_sums, mean),
    ):
        ratio = paired_bootstrap(right, left, statistic, seed)
        yield Pair(policy, load, figure, single(left), single(right), ratio)
    before, after = _throughput(real), _throughput(simulated)
    value = after / before
    yield Pair(policy, load, "throughput", before, after, Interval(value, value, value))


def _answered_by_both(
    real: Sequence[Run], simulated: Sequence[Run]
) -> tuple[list[Served], list[Served]]:
    sides: list[dict[tuple[float, int], Served]] = [
        {
            (run.load.get("repeat", 0.0), one.number): one
            for run in runs
            for one in run.served
            if one.answered
        }
        for runs in (real, simulated)
    ]
    keys = sorted(sides[0].keys() & sides[1].keys())
    return [sides[0][key] for key in keys], [sides[1][key] for key in keys]


def _throughput(runs: Sequence[Run]) -> float:
    return sum(one.answered for run in runs for one in run.served) / sum(run.wall_s for run in runs)


def _difference(first: Sequence[Run], second: Sequence[Run], figure: str, seed: int) -> Interval:
    both = _answered_by_both(first, second)
    value = "tokens" if figure == "tokens" else "latency_s"
    left, right = ([float(getattr(one, value)) for one in side] for side in both)
    statistic: Statistic = _difference_of_p90 if figure == "p90_s" else difference_of_means
    return paired_bootstrap(left, right, statistic, seed)


def _p90(values: Sequence[float]) -> float:
    return percentile(values, 90)


def _ratio_of_p90(a: Values, b: Values) -> Values:
    result: Values = np.percentile(a, 90, axis=1) / np.percentile(b, 90, axis=1)
    return result


def _difference_of_p90(a: Values, b: Values) -> Values:
    result: Values = np.percentile(a, 90, axis=1) - np.percentile(b, 90, axis=1)
    return result


def _values(load: Load) -> list[str]:
    return [f"{value:g}" for _, value in load]


def _one(name: str, value: float, better: str, goal: float) -> Measure:
    return Measure.model_validate(
        {"name": name, "value": value, "low": value, "high": value, "better": better, "goal": goal}
    )
