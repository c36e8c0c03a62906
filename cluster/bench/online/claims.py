"""What counts of what was measured: the rate that a system sustains with full accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from cluster.bench.full_budget import accuracy_difference, counts
from cluster.bench.online.bootstrap import interval
from cluster.bench.online.sustained import TARGET, Sustained, sustained
from cluster.bench.stats import Interval
from cluster.workload.served import Served

Rates = Mapping[float, Sequence[Served]]
"""All queries of a system, by the rate at which they came."""


Scales = dict[float, Sequence[Served]]
"""All queries of a system that is told their deadlines, at one rate, by the scale of these."""

SCALE = "slo_scale"
"""Key of a run's load that says so."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a system does.

    Attributes:
        sustained: None: it loses too much accuracy at every rate.
        difference: its accuracy less that of the full budget, over all rates up to the next one
            above what it sustains.
    """

    sustained: Sustained | None
    difference: Interval


def claim(rates: Rates, full: Sequence[Served], spends_all: bool, seed: int) -> Claim:
    """The highest rate at which deadlines are met and accuracy is kept, all lower rates included.

    Where accuracy is lost before deadlines are, it is the highest measured rate at which it is not.

    Args:
        full: answers under the full budget, of all systems that spend it.
        spends_all: it is one of these, and counts whatever its accuracy.
    """
    found = sustained({rate: [one.in_time for one in rates[rate]] for rate in rates}, seed)
    highest = found.rate.value
    above = min((rate for rate in rates if rate > highest), default=max(rates))
    difference = up_to(above, rates, full, seed)
    if spends_all or counts(difference):
        return Claim(found, difference)
    kept = [r for r in rates if r <= highest and counts(up_to(r, rates, full, seed))]
    if not kept:
        return Claim(None, difference)
    drawn = np.minimum(found.drawn, max(kept))
    lower = replace(found, rate=interval(max(kept), drawn), drawn=drawn, bound="accuracy")
    return Claim(lower, difference)


def met(scale: float, scales: Scales, full: Sequence[Served], seed: int) -> bool:
    """Whether enough deadlines of this scale are met, with the accuracy of the full budget over
    this scale and all looser ones."""
    served = scales[scale]
    mine = (one for looser, some in scales.items() if looser >= scale for one in some)
    in_time = sum(one.in_time for one in served)
    return in_time >= TARGET * len(served) and counts(accuracy_difference(mine, full, seed))


def tightest_met(scales: Scales, full: Sequence[Served], seed: int) -> Sequence[Served]:
    """The queries at the tightest scale that is met, as are all looser ones; none: no scale is."""
    found: Sequence[Served] = ()
    for scale in sorted(scales, reverse=True):
        if not met(scale, scales, full, seed):
            break
        found = scales[scale]
    return found


def up_to(rate: float, rates: Rates, full: Sequence[Served], seed: int) -> Interval:
    """The accuracy's difference over all rates up to this one."""
    mine = (one for lower, served in rates.items() if lower <= rate for one in served)
    return accuracy_difference(mine, full, seed)
