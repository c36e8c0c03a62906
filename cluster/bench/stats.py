"""What benchmarks compute and how they print it."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Statistic = Callable[[Values, Values], Values]
"""From two arrays of shape (resamples, n) to one value a resample."""

RESAMPLES = 10_000
BATCH_CELLS = 2_000_000
"""Most numbers drawn at once: 16 MB."""


class Interval(NamedTuple):
    """An estimate and its 95% confidence interval."""

    value: float
    low: float
    high: float

    def show(self, pattern: str) -> str:
        """``value (95%: low to high)``, each number by a format such as ``+.1f``."""
        value, low, high = (format(number, pattern) for number in self)
        return f"{value} (95%: {low} to {high})"


NOTHING = Interval(float("nan"), float("nan"), float("nan"))
"""What is known of nothing."""


def percentile(values: Sequence[float], q: float) -> float:
    """The ``q``-th percentile, ``q`` in [0, 100], interpolated; nan of nothing."""
    return float(np.percentile(values, q)) if len(values) else float("nan")


def mean(values: Sequence[float]) -> float:
    """The mean; nan of nothing."""
    return float(np.mean(values)) if len(values) else float("nan")


def ratio(part: float, whole: float) -> float:
    """``part / whole``; nan if there is no whole."""
    return part / whole if whole else float("nan")


def jain_index(values: Sequence[float]) -> float:
    """Jain's fairness index (Jain, Chiu and Hawe 1984): from 1 / n, where one has all, to 1, where
    all have the same; nan of nothing."""
    squares = sum(value * value for value in values)
    return ratio(sum(values) ** 2, len(values) * squares)


def share_interval(values: Sequence[float]) -> Interval:
    """The mean of values in [0, 1] with Wilson's interval for a share.

    Other than the bootstrap's, it has a width where all values are the same.
    """
    n, share, z = len(values), mean(values), 1.959964
    if not n:
        return NOTHING
    middle = share + z * z / (2 * n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (max(0.0, min(1.0, (middle + side) / (1 + z * z / n))) for side in (-half, half))
    return Interval(share, min(low, share), max(high, share))


def difference_of_means(a: Values, b: Values) -> Values:
    """Mean of ``a`` less mean of ``b``."""
    result: Values = a.mean(axis=1) - b.mean(axis=1)
    return result


def difference_of_medians(a: Values, b: Values) -> Values:
    """Median of ``a`` less median of ``b``."""
    result: Values = np.median(a, axis=1) - np.median(b, axis=1)
    return result


def ratio_of_sums(a: Values, b: Values) -> Values:
    """Sum of ``a`` over sum of ``b``."""
    result: Values = a.sum(axis=1) / b.sum(axis=1)
    return result


def paired_bootstrap(
    a: Sequence[float],
    b: Sequence[float],
    statistic: Statistic,
    seed: int,
    resamples: int = RESAMPLES,
) -> Interval:
    """A statistic of two paired samples with its percentile bootstrap interval.

    Pairs are drawn with replacement, so what hits both sides of a pair cancels out.

    Args:
        a, b: values of the same things, in the same order. Of none, everything is nan.
        seed: makes the interval repeatable.

    Raises:
        ValueError: the samples differ in length.
    """
    if len(a) != len(b):
        raise ValueError(f"paired samples must have the same length, got {len(a)} and {len(b)}")
    if not a:
        return NOTHING
    left, right = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    rng = np.random.default_rng(seed)
    drawn: list[Values] = []
    batch = max(1, BATCH_CELLS // len(a))
    for done in range(0, resamples, batch):
        rows = min(batch, resamples - done)
        picks = rng.integers(len(a), size=(rows, len(a)))
        drawn.append(statistic(left[picks], right[picks]))
    low, high = np.percentile(np.concatenate(drawn), [2.5, 97.5])
    value = statistic(left[None, :], right[None, :])[0]
    return Interval(float(value), float(low), float(high))


def bootstrap_means(columns: Values, seed: int, resamples: int) -> Values:
    """Means of the columns, shape (n, k), in each resample of the rows: shape (resamples, k).

    For statistics of several means at once. Raises ValueError where there are no rows.
    """
    n = len(columns)
    counts = np.random.default_rng(seed).multinomial(n, [1 / n] * n, size=resamples)
    means: Values = counts @ columns / n
    return means


def as_objects(value: Any) -> Any:
    """With named tuples as objects, which JSON would make lists."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {key: as_objects(item) for key, item in value.items()}
    return value


def machine_load() -> str:
    """How busy this machine is, to be read along with latencies."""
    return f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores when it began"


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A markdown table, also readable as it is; the first column to the left, others right."""
    widths = [max(3, *(len(row[i]) for row in (header, *rows))) for i in range(len(header))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_line(cells, widths) for cells in (header, rule, *rows))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *others = zip(cells, widths, strict=True)
    padded = [first[0].ljust(first[1]), *(cell.rjust(width) for cell, width in others)]
    return f"| {' | '.join(padded)} |"
