"""Whether a system answers as well as the full budget does, question by question."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from cluster.bench.stats import NOTHING, Interval
from cluster.workload.served import Served

TOLERANCE = 0.003
"""Accuracy that a system may lose against the full budget, for its figures to count: 0.3 points."""

RESAMPLES = 4_000


def accuracy_difference(mine: Iterable[Served], full: Iterable[Served], seed: int) -> Interval:
    """Accuracy less that of the full budget on the same questions, both over answered queries; the
    bootstrap draws questions, with all that was asked about them on both sides.

    Args:
        mine: of the system.
        full: of all systems that spend the full budget. Each question counts as often as it was
            asked of the system, with the mean of its answers under the full budget; questions
            that were never asked there don't count.
    """
    reference = _by_question(full)
    found = _by_question(mine)
    rows = np.array(
        [
            (len(right), sum(right) - len(right) * float(np.mean(reference[question])))
            for question, right in sorted(found.items())
            if question in reference
        ],
        dtype=np.float64,
    )
    if not len(rows):
        return NOTHING
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(rows), [1 / len(rows)] * len(rows), size=RESAMPLES)
    asked, gained = (counts @ rows).T
    low, high = np.percentile(gained / asked, [2.5, 97.5])
    if not rows[:, 1].any():
        # Of n questions without a difference, as many more may differ (Clopper and Pearson 1934).
        high = 1 - 0.05 ** (1 / len(rows))
        low = -high
    value = float(rows[:, 1].sum() / rows[:, 0].sum())
    return Interval(value, min(float(low), value), max(float(high), value))


def counts(difference: Interval) -> bool:
    """Whether the system's figures count: what was measured is no more than the tolerance lower.
    The interval says how sure that is; of nothing, they do not."""
    return difference.value >= -TOLERANCE


def verdict(difference: Interval) -> str:
    """What is known of the tolerance, in words."""
    if difference.low >= -TOLERANCE:
        return "within 0.3 points of the full budget, with 95% confidence"
    if difference.high < -TOLERANCE:
        return "more than 0.3 points below the full budget, with 95% confidence"
    side = "within" if counts(difference) else "not within"
    return f"{side} 0.3 points of the full budget as measured, which 95% confidence leaves open"


def _by_question(served: Iterable[Served]) -> dict[str, list[bool]]:
    found: dict[str, list[bool]] = defaultdict(list)
    for one in served:
        if one.answered:
            found[one.question].append(one.correct)
    return found
