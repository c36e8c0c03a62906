"""What the queries of a rate and a policy add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cluster.bench.load.asking import Asked
from cluster.bench.load.measure import PointRun
from cluster.bench.stats import (
    Interval,
    Statistic,
    Values,
    difference_of_means,
    jain_index,
    mean,
    paired_bootstrap,
    percentile,
    ratio_of_sums,
    share_interval,
)

RESAMPLES = 2_000


@dataclass(frozen=True, slots=True)
class Figures:
    """A rate and a policy. Shares are of all queries, refused ones included, where nothing else is
    said; intervals are 95%.

    Attributes:
        accuracy: share that was answered right.
        accuracy_answered: of those answered.
        tokens: spent per answered query, everything counted.
        p50_s, p90_s, p99_s: latency of those not refused; of one that was given up, the limit.
        in_time: share answered within the deadline; right_in_time: and right.
        refused: share; lost: share that was given up or failed.
        unfairness_max, unfairness_p99: finish-time fairness of those not refused.
        jain: Jain's index of its inverse, in (0, 1]; 1: all were slowed down alike.
        client_cpu: largest share of a core that the client took.
        lag_p99_s: how late the client sent, for it was busy.
    """

    rate: float
    policy: str
    queries: int
    accuracy: Interval
    accuracy_answered: Interval
    tokens: Interval
    p50_s: float
    p90_s: float
    p99_s: Interval
    in_time: Interval
    right_in_time: Interval
    refused: float
    lost: float
    unfairness_max: float
    unfairness_p99: float
    jain: float
    client_cpu: float
    lag_p99_s: float


@dataclass(frozen=True, slots=True)
class Against:
    """A policy less, or over, the first one, on the same arrivals.

    Attributes:
        accuracy, in_time: differences in percentage points, over all queries.
        tokens: ratio, over queries that both answered.
    """

    rate: float
    policy: str
    accuracy: Interval
    tokens: Interval
    in_time: Interval


def figures(runs: Sequence[PointRun], seed: int) -> list[Figures]:
    """Of every rate and policy, in the order they were first measured; ``seed``: of the
    bootstrap."""
    groups: dict[tuple[float, str], list[PointRun]] = {}
    for run in runs:
        groups.setdefault((run.point.rate, run.point.policy), []).append(run)
    return [_figures(rate, policy, group, seed) for (rate, policy), group in groups.items()]


def against(runs: Sequence[PointRun], baseline: str, seed: int) -> list[Against]:
    """Every other policy against the baseline, at each rate at which both were measured."""
    by: dict[tuple[float, str], dict[tuple[int, int], Asked]] = {}
    for run in runs:
        found = by.setdefault((run.point.rate, run.point.policy), {})
        found.update({(run.point.turn, asked.number): asked for asked in run.asked})
    return [
        _against(rate, policy, mine, by[rate, baseline], seed)
        for (rate, policy), mine in by.items()
        if policy != baseline and (rate, baseline) in by
    ]


def _figures(rate: float, policy: str, runs: Sequence[PointRun], seed: int) -> Figures:
    asked = [query for run in runs for query in run.asked]
    answered = [query for query in asked if query.answered]
    slow = [query.latency_s for query in asked if query.outcome in ("answered", "given_up")]
    unfair = [query.unfairness for query in asked if query.unfairness is not None]
    return Figures(
        rate=rate,
        policy=policy,
        queries=len(asked),
        accuracy=share_interval([query.correct for query in asked]),
        accuracy_answered=share_interval([query.correct for query in answered]),
        tokens=_interval([query.spent for query in answered], _mean, seed),
        p50_s=percentile(slow, 50),
        p90_s=percentile(slow, 90),
        p99_s=_interval(slow, _p99, seed),
        in_time=share_interval([query.in_time for query in asked]),
        right_in_time=share_interval([query.in_time and query.correct for query in asked]),
        refused=mean([query.outcome == "refused" for query in asked]),
        lost=mean([query.outcome in ("given_up", "failed") for query in asked]),
        unfairness_max=max(unfair, default=float("nan")),
        unfairness_p99=percentile(unfair, 99),
        jain=jain_index([1 / value for value in unfair]),
        client_cpu=max(run.client_cpu for run in runs),
        lag_p99_s=percentile([query.lag_s for query in asked], 99),
    )


def _against(
    rate: float,
    policy: str,
    mine: dict[tuple[int, int], Asked],
    base: dict[tuple[int, int], Asked],
    seed: int,
) -> Against:
    pairs = [(mine[key], base[key]) for key in sorted(mine) if key in base]
    both = [(a, b) for a, b in pairs if a.answered and b.answered]

    def difference(values: list[tuple[bool, bool]]) -> Interval:
        sides = [[100.0 * pair[side] for pair in values] for side in (0, 1)]
        return paired_bootstrap(sides[0], sides[1], difference_of_means, seed, RESAMPLES)

    return Against(
        rate=rate,
        policy=policy,
        accuracy=difference([(a.correct, b.correct) for a, b in pairs]),
        tokens=paired_bootstrap(
            [a.spent for a, _ in both], [b.spent for _, b in both], ratio_of_sums, seed, RESAMPLES
        ),
        in_time=difference([(a.in_time, b.in_time) for a, b in pairs]),
    )


def _interval(values: Sequence[float], statistic: Statistic, seed: int) -> Interval:
    return paired_bootstrap(values, values, statistic, seed, RESAMPLES)


def _mean(values: Values, _: Values) -> Values:
    means: Values = values.mean(axis=1)
    return means


def _p99(values: Values, _: Values) -> Values:
    found: Values = np.percentile(values, 99, axis=1)
    return found
