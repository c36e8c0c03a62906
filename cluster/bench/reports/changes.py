"""What changed between two documents of the same benchmark, beyond noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, variance
from typing import Literal

from mpmath import betainc

from cluster.bench.reports.document import Document, Measure
from cluster.bench.stats import Interval

LEVEL = 0.05
"""Chance that noise alone makes any measure of a comparison seem changed."""

Z = NormalDist().inv_cdf(1 - LEVEL / 2)
SAME = 1e-9
"""Relative difference of numbers that are the same but for rounding."""

Verdict = Literal["better", "worse", "changed", "no change", "unclear"]
"""``changed``: beyond noise, but neither direction is better; ``unclear``: the noise is not known,
or one of the two is not a number."""


@dataclass(frozen=True, slots=True)
class Change:
    """A measure in both documents, the second against the first.

    Attributes:
        difference: second less first; its 95% interval is not corrected for other measures.
        ratio: second over first; nan where the first is 0.
        p: chance of a difference at least as large by noise alone, corrected for the number of
            measures (Holm 1979); nan where the noise is not known.
    """

    name: str
    unit: str
    before: float
    after: float
    difference: Interval
    ratio: float
    p: float
    verdict: Verdict


def changes(before: Document, after: Document) -> list[Change]:
    """Every measure that both have, in the order of the first.

    With at least two repeats on both sides noise is what repeats vary by (Welch 1947); else, or
    where no repeat differs from another one, it is what the two intervals say together (Zou and
    Donner 2008, which is the sum in quadrature of the sides that face each other).
    """
    second = {measure.name: measure for measure in after.measures}
    pairs = [(one, second[one.name]) for one in before.measures if one.name in second]
    tested = [_tested(*pair) for pair in pairs]
    corrected = holm([p for _, p in tested])
    return [
        _change(*pair, difference, p)
        for pair, (difference, _), p in zip(pairs, tested, corrected, strict=True)
    ]


def holm(chances: Sequence[float]) -> list[float]:
    """Chances corrected for their number (Holm 1979); nan stay nan and don't count."""
    order = sorted(
        (i for i, p in enumerate(chances) if not math.isnan(p)), key=lambda i: chances[i]
    )
    corrected, highest = list(chances), 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(order) - rank) * chances[i]))
        corrected[i] = highest
    return corrected


def _change(one: Measure, other: Measure, difference: Interval, p: float) -> Change:
    return Change(
        name=one.name,
        unit=one.unit,
        before=one.value,
        after=other.value,
        difference=difference,
        ratio=other.value / one.value if one.value else math.nan,
        p=p,
        verdict=_verdict(one, other, difference.value, p),
    )


def _verdict(one: Measure, other: Measure, difference: float, p: float) -> Verdict:
    if math.isnan(p):
        return "unclear"
    if p >= LEVEL:
        return "no change"
    if one.better is None or one.better != other.better:
        return "changed"
    return "better" if (difference > 0) == (one.better == "higher") else "worse"


def _tested(one: Measure, other: Measure) -> tuple[Interval, float]:
    """The difference with its interval, and its chance before any correction."""
    numbers = (one.value, other.value, *one.repeats, *other.repeats)
    if one.unit != other.unit or not all(map(math.isfinite, numbers)):
        return Interval(math.nan, math.nan, math.nan), math.nan
    sides = (one.repeats, other.repeats)
    if min(map(len, sides)) >= 2 and any(variance(side) for side in sides):
        return _welch(*sides)
    return _from_intervals(one, other)


def _welch(first: Sequence[float], second: Sequence[float]) -> tuple[Interval, float]:
    difference = fmean(second) - fmean(first)
    parts = [variance(values) / len(values) for values in (first, second)]
    error = math.sqrt(sum(parts))
    freedom = _freedom(parts, first, second)
    half = t_quantile(freedom) * error
    interval = Interval(difference, difference - half, difference + half)
    return interval, _t_chance(abs(difference) / error, freedom)


def _freedom(parts: Sequence[float], *samples: Sequence[float]) -> float:
    """Degrees of freedom (Satterthwaite 1946)."""
    shares = [part / sum(parts) for part in parts]
    return 1 / sum(
        share**2 / (len(values) - 1) for share, values in zip(shares, samples, strict=True)
    )


def _t_chance(t: float, freedom: float) -> float:
    """Chance that Student's t is at least as far from 0."""
    where = freedom / (freedom + t * t)
    return float(betainc(freedom / 2, 0.5, 0, where, regularized=True))


def t_quantile(freedom: float) -> float:
    """Which distance from 0 Student's t exceeds with the chance of `LEVEL`, by bisection."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _t_chance(middle, freedom) > LEVEL else (low, middle)
    return high


def _from_intervals(one: Measure, other: Measure) -> tuple[Interval, float]:
    difference = other.value - one.value
    down = math.hypot(one.high - one.value, other.value - other.low)
    up = math.hypot(one.value - one.low, other.high - other.value)
    interval = Interval(difference, difference - down, difference + up)
    if math.isclose(one.value, other.value, rel_tol=SAME):
        return interval, 1.0
    facing = down if difference > 0 else up
    if facing == 0 or not math.isfinite(facing):
        return interval, math.nan
    return interval, 2 * (1 - NormalDist().cdf(Z * abs(difference) / facing))
