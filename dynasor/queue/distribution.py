"""A distribution of lengths in geometric buckets, and what it says of the rest of a length."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import neg, truediv

PER_OCTAVE = 8
OCTAVES = 20
BUCKETS = 1 + PER_OCTAVE * OCTAVES + 1
"""Lengths below 1; 8 buckets for each doubling up to 2^20; all that is longer."""

EDGES = array("d", [0.0, *(math.exp2(k / PER_OCTAVE) for k in range(BUCKETS - 1))])
"""Least length of each bucket."""


def bucket_of(tokens: float) -> int:
    """The bucket of a length of at least 0."""
    if tokens < 1:
        return 0
    return min(BUCKETS - 1, 1 + int(PER_OCTAVE * math.log2(tokens)))


class Distribution:
    """Masses and mean lengths of the buckets, with what follows from them ready to be looked up.

    What it says of a length that has reached ``generated`` tokens is what it says of one that has
    reached the bucket of ``generated``: buckets are 9% wide.

    Attributes:
        masses: of the buckets, of any positive sum; that of the last one is positive.
        sums: mass times mean length, by bucket.
    """

    __slots__ = ("_beyond", "_index", "_negated", "_totals", "masses", "sums")

    def __init__(self, masses: Iterable[float], sums: Iterable[float]) -> None:
        """Raises ValueError: the last bucket has no mass; to have got that far must be possible."""
        self.masses = array("d", masses)
        self.sums = array("d", sums)
        if not self.masses[-1] > 0:
            raise ValueError("the mass of the last bucket must be above 0")
        self._beyond = _suffix_sums(self.masses)
        self._negated = array("d", map(neg, self._beyond))
        self._totals: array[float] = array("d", map(truediv, _suffix_sums(self.sums), self._beyond))
        self._index: array[float] | None = None

    @property
    def mass(self) -> float:
        """Of all buckets."""
        return self._beyond[0]

    @classmethod
    def exponential(cls, mean: float) -> Distribution:
        """Lengths that end after each token with the same chance."""
        ends = [*EDGES[1:], math.inf]
        survival = [math.exp(-edge / mean) for edge in EDGES]
        # Far beyond the mean nothing is left in floating point, yet somebody may get there.
        masses = [
            max(a - b, 1e-100 * 4.0**-k)
            for k, (a, b) in enumerate(zip(survival, [*survival[1:], 0.0], strict=True))
        ]
        centres = [_centre(edge, end, mean) for edge, end in zip(EDGES, ends, strict=True)]
        return cls(masses, [mass * centre for mass, centre in zip(masses, centres, strict=True)])

    def remaining(self, generated: float) -> float:
        """Mean of what follows after ``generated`` tokens, at least 1."""
        return max(1.0, self._totals[bucket_of(generated)] - generated)

    def index(self, generated: float) -> float:
        """The inverse of the Gittins index after ``generated`` tokens, in tokens.

        The least that an end costs: the minimum over horizons t of E[min(rest, t)] / P(rest ≤ t).
        Serving the smallest first minimizes mean completion time on one server (Gittins 1979).
        Never above the mean that is left.
        """
        if self._index is None:
            self._index = _inverse_gittins(self.masses, self.sums, self._beyond)
        return self._index[bucket_of(generated)]

    def quantile(self, generated: float, q: float) -> float:
        """What follows after ``generated`` tokens is at most this with chance ``q``; at least 0."""
        beyond = self._beyond
        bucket = bucket_of(generated)
        rank = (1.0 - q) * beyond[bucket]
        # The last edge that more than the rank get beyond.
        at = bisect_left(self._negated, -rank, lo=bucket + 1) - 1
        after = beyond[at + 1] if at + 1 < BUCKETS else 0.0
        low = EDGES[at]
        mean = self.sums[at] / self.masses[at] if self.masses[at] > 0 else low
        high = EDGES[at + 1] if at + 1 < BUCKETS else max(low, 2 * mean - low)
        share = (beyond[at] - rank) / (beyond[at] - after) if beyond[at] > after else 1.0
        return max(0.0, low + share * (high - low) - generated)


def _centre(edge: float, end: float, mean: float) -> float:
    """Mean of an exponential length that ended in [edge, end)."""
    if math.isinf(end):
        return edge + mean
    width = end - edge
    return edge + mean - width / math.expm1(width / mean) if width < 500 * mean else edge + mean


def _suffix_sums(values: Sequence[float]) -> array[float]:
    return array("d", reversed(list(accumulate(reversed(values)))))


def _inverse_gittins(
    masses: Sequence[float], sums: Sequence[float], beyond: Sequence[float]
) -> array[float]:
    """Inverse index at each edge, for horizons that are edges.

    With F(e) = P(length < e) and G(e) = E[min(length, e)], the cost of an end between the edges b
    and k is the slope (G(k) - G(b)) / (F(k) - F(b)): the least is that of the lower convex hull of
    the points from b on, which one pass from right to left keeps up to date.
    """
    index = array("d", bytes(8 * BUCKETS))
    # Relative to the right end, where little is left: differences from there keep their digits.
    hull = [(0.0, 0.0)]
    x = y = 0.0
    for k in reversed(range(BUCKETS)):
        width = EDGES[k + 1] - EDGES[k] if k + 1 < BUCKETS else 0.0
        after = beyond[k + 1] if k + 1 < BUCKETS else 0.0
        x += masses[k]
        y += max(0.0, sums[k] - EDGES[k] * masses[k]) + width * after
        while len(hull) > 1 and _slope((x, y), hull[-1]) >= _slope(hull[-1], hull[-2]):
            hull.pop()
        index[k] = _slope((x, y), hull[-1])
        hull.append((x, y))
    return index


def _slope(left: tuple[float, float], right: tuple[float, float]) -> float:
    """Both coordinates grow to the left here; without mass between, an end has no price."""
    dx = left[0] - right[0]
    return (left[1] - right[1]) / dx if dx > 0 else math.inf
