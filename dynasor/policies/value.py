"""`value`: goes on while the next units are expected to improve the answer by more than they cost.

What they may improve is learned from traffic without labels (`dynasor.value`), what their tokens
cost is the cluster's price. Certain programs end, and hopeless ones too. With an accuracy contract
a program ends where that is proven to keep the answer of the full budget often enough, whatever
the price.
"""

from __future__ import annotations

from pydantic import Field

from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict
from dynasor.registry import Params
from dynasor.value.stopping import Cost, Outlook

OWN_UNITS = 4.0
"""Units that the family's mean counts for beside a program's own tokens per unit."""

LIKELY = 0.5
"""Chance to stay from which on an answer counts as certain where more compute isn't worth it."""


class ValueParams(Params):
    """Parameters of `value`."""

    budget_floor: float = Field(
        0.03, ge=0.0, le=1.0, description="improvement that a whole budget must buy if it is free"
    )
    unit_floor: float = Field(
        0.001, ge=0.0, le=1.0, description="improvement that each unit must buy beside that"
    )
    haste: float = Field(
        2.0,
        ge=0.0,
        le=8.0,
        description="multiple of the units it will likely need that a wave holds in an idle "
        "cluster, falling as slots are taken and as sequences get slower by it; 0: waves waste "
        "nothing, and there are more of them",
    )


@POLICIES.register
class Value(Policy):
    """Wave after wave while that pays; waves are narrow where branches wait. Each vote that comes
    in is a look: it may end the program, or widen the wave. An algorithm without waves gets all it
    demands, and each unit that ends is a look as well."""

    name = "value"
    Params = ValueParams

    @property
    def learns(self) -> bool:
        return True

    def verdict(self, program: ProgramView) -> Verdict:
        hint, market = program.stop_hint, program.market
        if not hint.thresholds:
            return Verdict(None)
        certaindex, started = program.certaindex(), program.started
        measured = certaindex.measured
        if hint.most is not None and measured >= hint.most:
            return Verdict(None)
        if hint.wave is not None and measured < started and not _may_look(program):
            return Verdict(started)
        model = market.values.of(program.family, hint.exchangeable, hint.most)
        free = self._floor(model.cap)
        if program.max_disagreement is not None:
            outlook = model.promised(certaindex, program.max_disagreement)
        else:
            cost = Cost(free.floor, self._price(program)) if market.price else free
            outlook = model.outlook(certaindex, cost)
        # However dear compute is, a program is not given up before it has an answer.
        if not outlook.worth and certaindex.votes:
            certain = program.max_disagreement is not None or _is_certain(
                model.outlook(certaindex, free)
            )
            return Verdict(started, stop="certain" if certain else "price")
        if hint.wave is None:
            return Verdict(None)
        # What it likely needs at once, as far as that makes nobody wait.
        likely = round(self.params.haste * market.idle * outlook.likely)
        wave = max(outlook.least, min(likely, started - measured + market.room))
        return Verdict(max(started, measured + max(1, min(wave, model.cap - measured))))

    def _floor(self, cap: int) -> Cost:
        """What a unit has to buy where compute is free, in improvement of the answer."""
        return Cost(self.params.budget_floor / cap + self.params.unit_floor, 0.0)

    def _price(self, program: ProgramView) -> float:
        """What the tokens of a unit of this program cost, in improvement of the answer."""
        mean = program.market.values.tokens_per_unit(program.family)
        if not program.stop_hint.exchangeable:
            # Judges may read for its units, too: the mean counts that, its own tokens don't.
            return program.market.price * mean
        tokens = (program.generated + OWN_UNITS * mean) / (program.started + OWN_UNITS)
        return program.market.price * tokens


def _may_look(program: ProgramView) -> bool:
    """Whether to decide while units of a wave run: among those that ended first the short ones
    are more frequent, which votes don't mind (Hassid et al. 2025, arXiv 2505.17813: they are right
    more often), but proofs of a contract and lessons of other units in their order do."""
    return program.stop_hint.exchangeable and program.max_disagreement is None


def _is_certain(free: Outlook) -> bool:
    """Whether an answer will likely stay, by what is ahead were compute free."""
    return not free.worth and free.stays >= LIKELY
