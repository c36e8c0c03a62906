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
from dynasor.value.stopping import Cost

OWN_UNITS = 4.0
"""Units that the family's mean counts for beside a program's own tokens per unit."""


class ValueParams(Params):
    """Parameters of `value`."""

    budget_floor: float = Field(
        0.03, ge=0.0, le=1.0, description="improvement that a whole budget must buy if it is free"
    )
    unit_floor: float = Field(
        0.001, ge=0.0, le=1.0, description="improvement that each unit must buy beside that"
    )
    haste: float = Field(
        1.0,
        ge=0.0,
        le=4.0,
        description="how much of the units it will likely need a wave holds while compute is "
        "free; 0: waves waste nothing, and there are more of them",
    )


@POLICIES.register
class Value(Policy):
    """Wave after wave while that pays; waves are narrow where tokens cost something."""

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
        if hint.most is not None and started >= hint.most:
            return Verdict(None)
        if certaindex.measured < started:
            return Verdict(started)
        model = market.values.of(program.family, hint.exchangeable, hint.most)
        if program.max_disagreement is not None:
            outlook = model.promised(certaindex, program.max_disagreement)
            wave = outlook.least
        else:
            outlook = model.outlook(certaindex, self._cost(program, model.cap))
            wave = outlook.least
            if not market.price:
                # What it likely needs at once, as far as that makes nobody wait.
                likely = round(self.params.haste * outlook.likely)
                wave = max(wave, min(likely, market.room))
        if not outlook.worth:
            return Verdict(started, stop="price" if outlook.gain > 0 else "certain")
        return Verdict(started + max(1, min(wave, model.cap - started)))

    def _cost(self, program: ProgramView, cap: int) -> Cost:
        """What a unit of this program costs, in improvement of the answer."""
        floor = self.params.budget_floor / cap + self.params.unit_floor
        price = program.market.price
        if not price:
            return Cost(floor, 0.0)
        mean = program.market.values.tokens_per_unit(program.family)
        tokens = (program.generated + OWN_UNITS * mean) / (program.started + OWN_UNITS)
        return Cost(floor, price * tokens)
