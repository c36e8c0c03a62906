"""Resampling of queries that waited for each other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cluster.bench.stats import NOTHING, Interval, Values

RESAMPLES = 2_000

Picks = NDArray[np.int64]


def blocks(n: int, rng: np.random.Generator, resamples: int = RESAMPLES) -> Picks:
    """Indices of shape (resamples, n): each row is made of runs of about sqrt(n) neighbours.

    A queue makes neighbours alike: drawn one by one they would promise too much (circular block
    bootstrap, Politis and Romano 1992).
    """
    length = max(1, round(n**0.5))
    starts = rng.integers(n, size=(resamples, -(-n // length)))
    picks = (starts[:, :, None] + np.arange(length)) % n
    return picks.reshape(resamples, -1)[:, :n]


def interval(value: float, drawn: Values) -> Interval:
    """The estimate with the 95% percentile interval of what was drawn; it lies in there. Of draws
    that say nothing (infinite over infinite) none counts."""
    drawn = drawn[~np.isnan(drawn)]
    if not len(drawn) or value != value:
        return NOTHING
    # Not interpolated: what is drawn may be infinite.
    low, high = np.percentile(drawn, [2.5, 97.5], method="nearest")
    return Interval(value, min(float(low), value), max(float(high), value))
