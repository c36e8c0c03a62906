"""The highest rate at which enough deadlines are met, between the rates that were measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cluster.bench.online.bootstrap import RESAMPLES, blocks, interval
from cluster.bench.stats import Interval, Values

TARGET = 0.9
"""Share of deadlines that has to be met: the deadline holds for the 90th percentile."""


@dataclass(frozen=True, slots=True)
class Sustained:
    """The highest rate.

    Attributes:
        rate: with its 95% interval; in the unit of the measured rates.
        drawn: the same of every resample, for ratios.
        bound: "at least", "at most": all, or none, of the measured rates were sustained, and it
            is the highest, or the lowest, of them; "" else.
    """

    rate: Interval
    drawn: Values
    bound: str = ""


def sustained(points: Mapping[float, Sequence[bool]], seed: int) -> Sustained:
    """From what was measured at each rate: which queries were in time, in order of arrival.

    Attainment is taken to fall with the rate (isotonic regression, weighted by queries), and to be
    linear in the logarithm of the rate between two measured ones.

    Raises:
        ValueError: nothing was measured.
    """
    rates = np.array(sorted(points))
    if not len(rates):
        raise ValueError("no rate was measured")
    rng = np.random.default_rng(seed)
    columns, shares = [], []
    for rate in rates:
        met = np.asarray(points[float(rate)], dtype=np.float64)
        columns.append(met[blocks(len(met), rng)].mean(axis=1))
        shares.append(met.mean())
    weights = np.array([len(points[float(rate)]) for rate in rates], dtype=np.float64)
    value, bound = crossing(rates, np.array(shares), weights)
    resampled = np.stack(columns, axis=1)
    drawn = np.array([crossing(rates, resampled[i], weights)[0] for i in range(RESAMPLES)])
    return Sustained(interval(value, drawn), drawn, bound)


def crossing(rates: Values, shares: Values, weights: Values) -> tuple[float, str]:
    """Where attainment falls below the target, and `Sustained.bound`; rates ascending."""
    fitted = falling(shares, weights)
    above = np.flatnonzero(fitted >= TARGET)
    if not len(above):
        return float(rates[0]), "at most"
    last = int(above[-1])
    if last == len(rates) - 1:
        return float(rates[last]), "at least"
    part = (fitted[last] - TARGET) / (fitted[last] - fitted[last + 1])
    low, high = np.log(rates[last]), np.log(rates[last + 1])
    return float(np.exp(low + part * (high - low))), ""


def falling(values: Values, weights: Values) -> Values:
    """The nearest sequence that never rises, by weighted squares (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pools.append((float(value), float(weight), 1))
        while len(pools) > 1 and pools[-2][0] < pools[-1][0]:
            (a, wa, na), (b, wb, nb) = pools[-2:]
            pools[-2:] = [((a * wa + b * wb) / (wa + wb), wa + wb, na + nb)]
    result: NDArray[np.float64] = np.repeat([pool[0] for pool in pools], [p[2] for p in pools])
    return result


def ratio(mine: Sustained, base: Sustained) -> Interval:
    """Of two systems' rates, measured independently."""
    value = mine.rate.value / base.rate.value
    return interval(value, mine.drawn / base.drawn)
