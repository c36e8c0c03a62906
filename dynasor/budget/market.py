"""The cluster's market for tokens, as policies see it: their price, the room, what was learned."""

from __future__ import annotations

from collections.abc import Callable

from dynasor.budget.price import Demand, Price, PriceSettings
from dynasor.budget.rates import TokenRate
from dynasor.value.values import ValueModels

FADING = 0.05
"""Weight of the newest program in the mean of how long they stay."""


class ClusterMarket:
    """Satisfies `dynasor.policies.Market`.

    Attributes:
        values: what traffic has taught about the worth of compute.
        rate: what the cluster generates.
        stay_s: how long programs stay from their first branch on, a fading mean.
    """

    def __init__(
        self, settings: PriceSettings, room: Callable[[], int], idle: Callable[[], float]
    ) -> None:
        """``room`` and ``idle`` are asked whenever somebody asks for them."""
        self.values = ValueModels()
        self.rate = TokenRate()
        self.stay_s = 0.0
        self._price = Price(settings)
        self._room = room
        self._idle = idle

    @property
    def price(self) -> float:
        """Improvement of an answer, in chance of being the best, that a token has to buy."""
        return self._price.per_token

    @property
    def room(self) -> int:
        return self._room()

    @property
    def idle(self) -> float:
        return self._idle()

    @property
    def due_at(self) -> float:
        """When the next update is worth its cost."""
        return self._price.due_at

    @property
    def moves(self) -> bool:
        """The price may change although nothing happens."""
        return self.price > 0

    def stayed(self, seconds: float) -> None:
        """A program has ended that had its first branch so long ago."""
        self.stay_s += (seconds - self.stay_s) * (FADING if self.stay_s else 1.0)

    def update(
        self, waiting: int, serving: int, runs: int, slacks_s: tuple[float, ...], now: float
    ) -> None:
        """Follow the demand: programs that wait for room, programs that have begun, branches that
        run, and for those waiting with a deadline the time left after the work expected of them."""
        self.rate.update(now, saturated=waiting > 0 and runs > 0)
        idle = self._room() > runs
        demand = Demand(waiting, serving, slacks_s, self.stay_s, idle)
        self._price.update(demand, self.rate.per_s, now)
