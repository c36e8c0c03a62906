"""The tightest deadlines that a system meets at a given rate, from the latencies measured there."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from cluster.bench.online.bootstrap import blocks, interval
from cluster.bench.online.sustained import TARGET
from cluster.bench.stats import NOTHING, Interval, Values
from cluster.workload.served import Served


def tightest(served: Sequence[Served], seed: int) -> Interval:
    """The scale of deadlines of which 90% are met: the 90th percentile of latency over what the
    question takes alone. Infinite if more than 10% have no answer."""
    times = _slowdowns(served)
    if not len(times):
        return NOTHING
    picks = blocks(len(times), np.random.default_rng(seed))
    return interval(float(_percentile(times[None])[0]), _percentile(times[picks]))


def tighter(mine: Sequence[Served], base: Sequence[Served], seed: int) -> Interval:
    """How many times tighter deadlines may be than with ``base``, on the same arrivals."""
    theirs = {one.number: one for one in base}
    pairs = [(one, theirs[one.number]) for one in mine if one.number in theirs]
    if not pairs:
        return NOTHING
    ours, others = (_slowdowns([pair[side] for pair in pairs]) for side in (0, 1))
    picks = blocks(len(pairs), np.random.default_rng(seed))
    with np.errstate(invalid="ignore"):
        value = float(_percentile(others[None])[0] / _percentile(ours[None])[0])
        drawn = _percentile(others[picks]) / _percentile(ours[picks])
    return interval(value, drawn)


def _slowdowns(served: Sequence[Served]) -> Values:
    return np.array(
        [one.latency_s / one.alone_s if one.answered and one.alone_s else np.inf for one in served],
        dtype=np.float64,
    )


def _percentile(times: Values) -> Values:
    """The time that the target's share is within, of each row. Not interpolated: there is nothing
    between a number and infinity."""
    place = math.ceil(TARGET * times.shape[1]) - 1
    found: Values = np.partition(times, place, axis=1)[:, place]
    return found
