"""The price of a token: what it costs those who wait.

While programs wait, a token that is generated for one of them delays every other by the time that
it takes, ``1 / rate``. So it costs ``Σ c_i / rate`` over the waiting programs, where c_i is what a
second of delay costs program i: a constant, and more as its deadline comes near. This is where the
price comes to rest. With many waiting it follows the queue at once; with few, one program more or
less would move it by much, while the demand answers only after the time that programs stay. There
it follows slowly, and leads instead: it moves with the queue's growth relative to the programs in
service. In the logarithm of the price, whatever its scale:

    d ln p = (ln p* - ln p) · dt/τ + LEAD · ΔW/N        τ = max(smoothing, SLOW · S · N / W)

with W waiting programs, N in service and S the time that they stay there. A proportional-integral
controller with the queue as its integrator: stable for elasticities of the demand up to one under
steps of the load up to twice the capacity, and calm at the lower elasticities that programs show.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

LEAD = 0.5
SLOW = 16.0
FALL = 32.0
"""While nobody waits, the price falls with this many times the time that programs stay; faster,
and it would swing where the demand is elastic."""

PATIENCE = 6.0
"""The price falls at once when capacity was idle for so many times the time that programs stay: a
queue that overshot empties for a shorter time."""

LARGEST_LEAD = 0.5
"""Most change of ln p by one update's growth of the queue."""

ZERO = 1e-9
"""Prices below it are zero: one better answer in a thousand million tokens."""

LEAST_SLACK_S = 1.0


class PriceSettings(BaseModel):
    """What waiting costs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    delay_cost_per_s: float = Field(
        0.005,
        ge=0,
        le=1,
        description="chance of a better answer that one second less of waiting is worth, for each "
        "program; 0: compute is never dear",
    )
    deadline_cost: float = Field(
        0.1,
        ge=0,
        le=1,
        description="chance of a better answer that a program loses whose turn comes too late for "
        "its deadline; spread over the time it has left",
    )
    smoothing_s: float = Field(
        0.5, gt=0, le=60, description="least time constant with which the price follows the queue"
    )
    period_s: float = Field(0.1, ge=0.01, le=10, description="time between two updates")


@dataclass(frozen=True, slots=True)
class Demand:
    """What the price follows.

    Attributes:
        waiting: programs that wait for room.
        serving: programs that run.
        slacks_s: of those waiting with a deadline, the time that is left after the work expected of
            them; below 0: too late.
        stay_s: time that programs stay in service.
        idle: more than half of the room is free.
    """

    waiting: int
    serving: int
    slacks_s: tuple[float, ...]
    stay_s: float
    idle: bool


class Price:
    """The cluster's one price, in improvement of an answer (chance of being right) per token."""

    def __init__(self, settings: PriceSettings) -> None:
        self._settings = settings
        self._log: float | None = None
        self._waiting = 0
        self._updated_at = -math.inf
        self._busy_at = -math.inf

    @property
    def per_token(self) -> float:
        return 0.0 if self._log is None else math.exp(self._log)

    @property
    def due_at(self) -> float:
        """When the next update is worth its cost."""
        return self._updated_at + self._settings.period_s

    def worth(self, demand: Demand, tokens_per_s: float) -> float:
        """What a token costs those who wait: where the price comes to rest."""
        settings = self._settings
        near = sum(settings.deadline_cost / max(s, LEAST_SLACK_S) for s in demand.slacks_s)
        cost = demand.waiting * settings.delay_cost_per_s + near
        return cost / tokens_per_s if tokens_per_s > 0 else 0.0

    def update(self, demand: Demand, tokens_per_s: float, now: float) -> None:
        """Follow the demand; ``tokens_per_s`` is what the cluster gives when it is busy."""
        worth = self.worth(demand, tokens_per_s)
        elapsed, self._updated_at = now - self._updated_at, now
        growth, self._waiting = demand.waiting - self._waiting, demand.waiting
        if demand.waiting or not demand.idle:
            self._busy_at = now
        if self._log is None:
            self._log = math.log(worth) if worth > ZERO else None
            return
        serving = max(1, demand.serving)
        lead = LEAD * growth / serving
        self._log += max(-LARGEST_LEAD, min(LARGEST_LEAD, lead))
        share = -math.expm1(-elapsed / self._time_constant(demand, serving, now))
        self._log += (math.log(max(worth, ZERO / math.e)) - self._log) * share
        if not demand.waiting and self._log < math.log(ZERO):
            self._log = None

    def _time_constant(self, demand: Demand, serving: int, now: float) -> float:
        patient = now - self._busy_at <= PATIENCE * demand.stay_s
        slow = SLOW * serving / max(1, demand.waiting) if patient else 1.0
        slow = slow if demand.waiting else min(slow, FALL)
        return max(self._settings.smoothing_s, slow * demand.stay_s)
