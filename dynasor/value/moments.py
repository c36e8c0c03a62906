"""The value of further units where their order matters: counted, by what is seen of a program."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dynasor.certaindex import Certaindex
from dynasor.value.contract import Proofs
from dynasor.value.episode import Episode, Moment
from dynasor.value.mixture import Floats
from dynasor.value.stopping import EMPHASIS, STOP, Cost, Outlook

HORIZONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""Units that are looked ahead; a wave may be worth what no single unit is."""

BINS = 8
"""Of the share of the cap that is done, and of certaindex; certaindex 1 has one of its own."""

UNKNOWN = 0
"""Stands for a cap that is not known beforehand."""

LIKELY_CAP = 32
"""Of a program whose cap is not known beforehand, where nothing is known."""

LONGEST = 6
"""Agreeing answers beyond which their number makes no difference."""

PRIOR_MOMENTS = 8.0
"""How many moments what is already believed of a state counts for."""

WINDOW = 1000
"""Newest programs that contracts are proven on."""

TRUSTS = (0.999, 0.995, 0.99, 0.98, 0.95, 0.9, 0.8)
"""What `believed` must say where the rules stop that contracts choose among, safest first."""

State = tuple[int, int, int]


class Tally(NamedTuple):
    """Sums over moments: how many, how many gave the full answer, certaindex at their caps."""

    moments: float = 0.0
    agreed: float = 0.0
    settled: float = 0.0

    def plus(self, agreed: bool, settled: float) -> Tally:
        return Tally(self.moments + 1, self.agreed + agreed, self.settled + settled)


class Loss(NamedTuple):
    """What the contract's rules would have done to one program.

    Attributes:
        cap: its cap, `UNKNOWN` if that was not known beforehand.
        changed: for each of `TRUSTS`: 1 where the answer at that rule's stop was not the full one.
    """

    cap: int
    changed: tuple[int, ...]


class MomentCounts:
    """What one family's programs have shown.

    Attributes:
        tallies: by state and units ahead.
        losses: of the newest programs, oldest first.
        longest: most units that one has begun.
    """

    def __init__(self) -> None:
        self.tallies: dict[tuple[State, int], Tally] = {}
        self.losses: deque[Loss] = deque(maxlen=WINDOW)
        self.longest = 0

    def learn(self, episode: Episode) -> None:
        """Count every moment of a program that ran to its cap."""
        moments = episode.moments
        final = moments[-1]
        self.longest = max(self.longest, final.measured)
        cap = episode.cap if episode.capped else UNKNOWN
        self.losses.append(Loss(cap, tuple(_loss(moments, cap, trust) for trust in TRUSTS)))
        for place, moment in enumerate(moments):
            key = state(moment, cap)
            ahead = place
            for units in (0, *HORIZONS):
                until = moment.measured + units
                while ahead < len(moments) - 1 and moments[ahead].measured < until:
                    ahead += 1
                agreed = moments[ahead].answer == final.answer
                tally = self.tallies.get((key, units), Tally())
                self.tallies[key, units] = tally.plus(agreed, final.value)

    def absorb(self, other: MomentCounts) -> None:
        """Count what another has counted."""
        self.longest = max(self.longest, other.longest)
        self.losses.extend(other.losses)
        for key, tally in other.tallies.items():
            mine = self.tallies.get(key, Tally())
            self.tallies[key] = Tally(*(a + b for a, b in zip(mine, tally, strict=True)))


class MomentsModel:
    """What further units are worth to programs of one family and cap.

    Args:
        own: what it has shown itself; contracts are proven on that.
        families: what it and those it is like have shown, the narrowest first.
        cap: units that a program may begin, `UNKNOWN` if that is not known beforehand.

    Attributes:
        proofs: of contracts.
    """

    def __init__(
        self,
        own: MomentCounts,
        families: Sequence[MomentCounts],
        cap: int,
    ) -> None:
        self._known_cap = cap
        self._own = own
        self._families = families
        self._estimates: dict[tuple[State, int], tuple[float, float]] = {}
        self.proofs = Proofs(self._losses)

    @property
    def cap(self) -> int:
        """Units that a program may begin; where that is not known, the most that one has."""
        longest = max((counts.longest for counts in self._families), default=0)
        return self._known_cap or longest or LIKELY_CAP

    def changed(self) -> None:
        """The counts have changed."""
        self._estimates.clear()
        self.proofs.changed()

    def outlook(self, certaindex: Certaindex, cost: Cost) -> Outlook:
        """What is ahead of a program: the best over all horizons, for several units may gain what
        a single one can't. All of a horizon's units are only needed where the answer of now will
        not stand; where it will, the next one says so."""
        moment = Moment.of(certaindex, 0, None)
        remaining = max(1, self.cap - moment.measured)
        answered = bool(moment.votes)
        unit = cost.price + (cost.floor if answered else 0.0)
        agreed, settled = self.estimate(moment, 0)
        best = Outlook(not answered and not cost.price, 1, 1.0, 0.0, agreed)
        most = 0.0
        for horizon in HORIZONS:
            units = min(horizon, remaining)
            later = 1.0 if units == remaining else self.estimate(moment, horizon)[0]
            gain = max(0.0, later - agreed) * (EMPHASIS + (1 - EMPHASIS) * settled)
            needed = 1 + (units - 1) * (1 - agreed)
            if gain - needed * unit > most:
                most = gain - needed * unit
                best = Outlook(True, 1, needed, gain, agreed)
        return best

    def promised(self, certaindex: Certaindex, max_disagreement: float) -> Outlook:
        """What is ahead if it may only stop where that is proven to be safe enough."""
        moment = Moment.of(certaindex, 0, None)
        remaining = max(1, self.cap - moment.measured)
        proven = self.proofs.of(max_disagreement).rule
        if proven is None:
            return Outlook(True, remaining, float(remaining), 0.0)
        if believed(moment, self._known_cap, 0)[0] >= TRUSTS[proven]:
            return STOP
        return Outlook(True, 1, 1.0, 0.0)

    def _losses(self) -> Floats:
        own = [loss.changed for loss in self._own.losses if loss.cap == self._known_cap]
        return np.array(own, float).reshape(-1, len(TRUSTS))

    def estimate(self, moment: Moment, units: int) -> tuple[float, float]:
        """Chance that the answer some units later is the full one, and certaindex at the cap."""
        key = state(moment, self._known_cap), units
        known = self._estimates.get(key)
        if known is None:
            known = believed(moment, self.cap, units)
            for counts in reversed(self._families):
                tally = counts.tallies.get(key, Tally())
                total = tally.moments + PRIOR_MOMENTS
                known = (
                    (tally.agreed + PRIOR_MOMENTS * known[0]) / total,
                    (tally.settled + PRIOR_MOMENTS * known[1]) / total,
                )
            self._estimates[key] = known
        return known


def state(moment: Moment, cap: int) -> State:
    """The state that a moment is in: by the share of the cap that is done, or where that is
    `UNKNOWN` by the units, in powers of two."""
    if cap == UNKNOWN:
        share = BINS + moment.measured.bit_length()
    else:
        share = min(BINS - 1, BINS * moment.measured // cap)
    value = int(moment.value * BINS)
    return share, value, min(LONGEST, evidence(moment)) if moment.votes else -1


def evidence(moment: Moment) -> int:
    """Answers that speak for the leading one, and against no other."""
    votes = (*moment.votes, 0, 0)
    return max(moment.streak, votes[0] - votes[1])


def believed(moment: Moment, cap: int, units: int) -> tuple[float, float]:
    """`MomentsModel.estimate` where nothing was learned.

    The answer becomes the full one in proportion to the units that are done; before that it is
    as trustworthy as certaindex, the more answers in a row stand behind it: k of them are wrong
    together with chance 2^-k, as for a coin. Where the cap is `UNKNOWN` no share of it is done.
    """
    done = min(1.0, (moment.measured + units) / cap) if cap else 0.0
    if not moment.votes and not units:
        return 0.0, moment.value
    trust = moment.value * (1 - 2.0 ** -evidence(moment)) if moment.votes else 0.0
    return done + (1 - done) * trust, moment.value


def _loss(moments: Sequence[Moment], cap: int, trust: float) -> int:
    """Whether the answer at the first moment of so much trust was not the full one."""
    trusted = (moment for moment in moments if believed(moment, cap, 0)[0] >= trust)
    return int(next(trusted, moments[-1]).answer != moments[-1].answer)
