"""What the queries of a system under a load add up to, with 95% confidence intervals; for tables,
pages and measures alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cluster.bench.reports.document import Run
from cluster.bench.stats import (
    Interval,
    Statistic,
    Values,
    difference_of_means,
    jain_index,
    paired_bootstrap,
    percentile,
    ratio_of_sums,
    share_interval,
)
from cluster.workload.served import Served

RESAMPLES = 2_000
MOST_CELLS = 20_000_000
"""Numbers drawn for one interval, so that very many queries get fewer resamples."""

REPEAT = "repeat"
"""The key of a load that tells repeats of the same apart."""

Load = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """A system under a load, all repeats together. Shares are of all queries, refused ones
    included, where nothing else is said; figures of no query are nan.

    Attributes:
        load: of the runs, without the repeat.
        repeats: runs taken together.
        accuracy: share that was answered right; accuracy_answered: of those answered.
        tokens: mean spent per answered query, everything counted.
        p50_s, p90_s, p99_s: latency of those not refused and not failed; of one that was given up,
            the client's limit.
        in_time: share answered within the deadline, of those with one; right_in_time: and right.
        throughput: answered queries per second of the runs; its interval is that of Poisson counts.
        refused, lost: shares; lost: given up or failed.
        unfairness_max, unfairness_p99: finish-time fairness of those whose time alone is known.
        jain: Jain's index of its inverse, in (0, 1]; 1: all were slowed down alike.
        client_cpu: largest share of a core that the client took.
        lag_p99_s: how late the client sent, for it was busy.
    """

    system: str
    load: Load
    repeats: int
    queries: int
    accuracy: Interval
    accuracy_answered: Interval
    tokens: Interval
    p50_s: Interval
    p90_s: Interval
    p99_s: Interval
    in_time: Interval
    right_in_time: Interval
    throughput: Interval
    refused: Interval
    lost: Interval
    unfairness_max: float
    unfairness_p99: float
    jain: float
    client_cpu: float
    lag_p99_s: float

    @property
    def label(self) -> str:
        """The system and its load, such as ``value, rate 1.5``."""
        return ", ".join([self.system, *(f"{name} {value:g}" for name, value in self.load)])


@dataclass(frozen=True, slots=True)
class Against:
    """A system less, or over, the baseline, on the same queries; paired bootstrap intervals.

    Attributes:
        accuracy, in_time: differences of shares, over all queries.
        tokens: ratio, over queries that both answered.
    """

    system: str
    load: Load
    accuracy: Interval
    tokens: Interval
    in_time: Interval


def load_of(run: Run) -> Load:
    """What was varied, without the repeat; the same for all repeats of a run."""
    return tuple((name, value) for name, value in run.load.items() if name != REPEAT)


def grouped(runs: Sequence[Run]) -> dict[tuple[str, Load], list[Run]]:
    """Repeats of the same system under the same load, in the order they were first measured."""
    groups: dict[tuple[str, Load], list[Run]] = {}
    for run in runs:
        groups.setdefault((run.system, load_of(run)), []).append(run)
    return groups


def figures(runs: Sequence[Run], seed: int = 0) -> list[Figures]:
    """Of every system and load with queries; ``seed``: of the bootstrap."""
    return [
        _figures(system, load, group, seed)
        for (system, load), group in grouped(runs).items()
        if any(run.served for run in group)
    ]


def against(runs: Sequence[Run], baseline: str, seed: int = 0) -> list[Against]:
    """Every other system against the baseline, at each load at which both were measured."""
    by: dict[tuple[str, Load], dict[tuple[float, int], Served]] = {}
    for run in runs:
        found = by.setdefault((run.system, load_of(run)), {})
        found.update({(run.load.get(REPEAT, 0), one.number): one for one in run.served})
    return [
        _against(system, load, mine, by[baseline, load], seed)
        for (system, load), mine in by.items()
        if system != baseline and by.get((baseline, load))
    ]


def _figures(system: str, load: Load, runs: Sequence[Run], seed: int) -> Figures:
    served = [one for run in runs for one in run.served]
    answered = [one for one in served if one.answered]
    slow = [one.latency_s for one in served if one.outcome in ("answered", "given_up")]
    asked = [one for one in served if one.deadline_s is not None]
    unfair = [one.unfairness for one in served if one.unfairness is not None]
    return Figures(
        system=system,
        load=load,
        repeats=len(runs),
        queries=len(served),
        accuracy=share_interval([one.correct for one in served]),
        accuracy_answered=share_interval([one.correct for one in answered]),
        tokens=bootstrap([one.tokens for one in answered], _mean, seed),
        p50_s=bootstrap(slow, quantile(50), seed),
        p90_s=bootstrap(slow, quantile(90), seed),
        p99_s=bootstrap(slow, quantile(99), seed),
        in_time=share_interval([one.in_time for one in asked]),
        right_in_time=share_interval([one.in_time and one.correct for one in asked]),
        throughput=_rate(len(answered), sum(run.wall_s for run in runs)),
        refused=share_interval([one.outcome == "refused" for one in served]),
        lost=share_interval([one.outcome in ("given_up", "failed") for one in served]),
        unfairness_max=max(unfair, default=float("nan")),
        unfairness_p99=percentile(unfair, 99),
        jain=jain_index([1 / value for value in unfair if value > 0]),
        client_cpu=max(run.client_cpu for run in runs),
        lag_p99_s=percentile([one.lag_s for one in served], 99),
    )


def _against(
    system: str,
    load: Load,
    mine: Mapping[tuple[float, int], Served],
    base: Mapping[tuple[float, int], Served],
    seed: int,
) -> Against:
    pairs = [(mine[key], base[key]) for key in sorted(mine) if key in base]
    both = [(a, b) for a, b in pairs if a.answered and b.answered]
    asked = [pair for pair in pairs if all(one.deadline_s is not None for one in pair)]
    return Against(
        system=system,
        load=load,
        accuracy=_paired(pairs, lambda one: one.correct, difference_of_means, seed),
        tokens=_paired(both, lambda one: one.tokens, ratio_of_sums, seed),
        in_time=_paired(asked, lambda one: one.in_time, difference_of_means, seed),
    )


def bootstrap(values: Sequence[float], statistic: Statistic, seed: int) -> Interval:
    """A statistic of one sample, which it gets twice, with its percentile bootstrap interval."""
    return paired_bootstrap(values, values, statistic, seed, _resamples(len(values)))


def quantile(percent: float) -> Statistic:
    """The statistic of that name, for `bootstrap`."""

    def found(values: Values, _: Values) -> Values:
        result: Values = np.percentile(values, percent, axis=1)
        return result

    return found


def _paired(
    pairs: Sequence[tuple[Served, Served]],
    value: Callable[[Served], float],
    statistic: Statistic,
    seed: int,
) -> Interval:
    left, right = ([float(value(pair[side])) for pair in pairs] for side in (0, 1))
    return paired_bootstrap(left, right, statistic, seed, _resamples(len(pairs)))


def _resamples(n: int) -> int:
    return max(200, min(RESAMPLES, MOST_CELLS // max(1, n)))


def _rate(count: int, seconds: float) -> Interval:
    if seconds <= 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    half = 1.96 * count**0.5
    return Interval(count / seconds, max(0.0, count - half) / seconds, (count + half) / seconds)


def _mean(values: Values, _: Values) -> Values:
    means: Values = values.mean(axis=1)
    return means
