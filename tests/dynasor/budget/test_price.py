"""The price: zero when idle, higher the more wait, and calm after a step of the load."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.budget.price import Demand, Price, PriceSettings
from dynasor.budget.rates import TokenRate

STEP_S = 0.1
RATE = 5000.0
STAY_S = 2.0


def demand(waiting: int, serving: int = 20, slacks: tuple[float, ...] = ()) -> Demand:
    return Demand(waiting, serving, slacks, STAY_S, idle=not waiting and serving < 10)


def run(price: Price, wanted: Demand, seconds: float, rate: float = RATE, at: float = 0) -> float:
    for step in range(round(seconds / STEP_S)):
        price.update(wanted, rate, at + step * STEP_S)
    return price.per_token


class TestThePrice:
    def test_is_zero_when_nobody_waits(self) -> None:
        assert run(Price(PriceSettings()), demand(0), 5) == 0.0

    def test_comes_to_rest_at_what_a_token_costs_those_who_wait(self) -> None:
        settings = PriceSettings()
        expected = 20 * settings.delay_cost_per_s / RATE
        price = Price(settings)
        run(price, demand(5), 10)
        assert run(price, demand(20), 300, at=10) == pytest.approx(expected, rel=1e-2)

    def test_falls_back_to_zero_when_the_cluster_is_idle(self) -> None:
        price = Price(PriceSettings())
        run(price, demand(100), 10)
        assert run(price, demand(0, serving=0), 60, at=10) == 0.0

    @given(st.integers(1, 500), st.integers(1, 500))
    def test_rises_with_those_who_wait(self, some: int, more: int) -> None:
        low = run(Price(PriceSettings()), demand(some), 5)
        high = run(Price(PriceSettings()), demand(some + more), 5)
        assert 0 < low < high

    @given(st.lists(st.floats(-100, 100), min_size=1, max_size=9))
    def test_near_deadlines_make_it_rise(self, slacks: list[float]) -> None:
        price = Price(PriceSettings())
        near = price.worth(demand(9, slacks=tuple(slacks)), RATE)
        later = price.worth(demand(9, slacks=tuple(slack + 10 for slack in slacks)), RATE)
        assert price.worth(demand(9), RATE) < near
        assert later <= near

    def test_says_nothing_before_a_rate_is_known(self) -> None:
        assert run(Price(PriceSettings()), demand(50), 5, rate=0.0) == 0.0

    def test_costs_nothing_where_waiting_does_not(self) -> None:
        free = PriceSettings(delay_cost_per_s=0, deadline_cost=0)
        assert run(Price(free), demand(50), 5) == 0.0


class Cluster:
    """Programs that want fewer tokens the dearer they are, and act on a price when they have stayed
    on for a while."""

    def __init__(self, elasticity: float) -> None:
        self.price = Price(PriceSettings())
        self.elasticity = elasticity
        self.waiting = 0.0
        self.history: list[float] = [0.0] * round(STAY_S / STEP_S)

    def run(self, load: float, seconds: float) -> list[float]:
        """Prices, one per step, under ``load`` times what the cluster can do at a price of 0."""
        begin = len(self.history)
        for _ in range(round(seconds / STEP_S)):
            seen = self.history[-round(STAY_S / STEP_S)]
            cheap = min(1.0, (2e-6 / max(seen, 1e-12)) ** self.elasticity)
            most, arrivals = RATE / (800 * cheap), load * RATE / 800
            ended = min(most, arrivals + self.waiting / STEP_S)
            self.waiting = max(0.0, self.waiting + (arrivals - ended) * STEP_S)
            serving, idle = round(ended * STAY_S), ended < most / 2
            wanted = Demand(round(self.waiting), serving, (), STAY_S, idle)
            self.price.update(wanted, RATE, len(self.history) * STEP_S)
            self.history.append(self.price.per_token)
        return self.history[begin:]


@pytest.mark.parametrize("elasticity", [0.3, 0.5, 1.0])
@pytest.mark.parametrize("load", [1.05, 1.3, 2.0])
class TestAfterAStepOfTheLoad:
    def test_the_price_comes_to_rest_without_swinging(self, load: float, elasticity: float) -> None:
        cluster = Cluster(elasticity)
        assert max(cluster.run(0.5, 20)) == 0.0
        history = cluster.run(load, 240)
        last = history[-round(60 / STEP_S) :]
        rest = sum(last) / len(last)
        assert rest == pytest.approx(2e-6 * load ** (1 / elasticity), rel=0.1)
        assert max(last) - min(last) <= 0.2 * rest
        assert max(history) <= 2 * rest
        far = [price for price in history if abs(price - rest) > 0.15 * rest]
        swings = sum((a - rest) * (b - rest) < 0 for a, b in itertools.pairwise(far))
        assert swings <= 2

    def test_and_falls_to_zero_afterwards(self, load: float, elasticity: float) -> None:
        cluster = Cluster(elasticity)
        cluster.run(load, 120)
        assert cluster.run(0.2, 120)[-1] == 0.0

    def test_and_falls_when_the_cluster_is_busy_and_nobody_waits(
        self, load: float, elasticity: float
    ) -> None:
        cluster = Cluster(elasticity)
        dear = cluster.run(load, 120)[-1]
        assert cluster.run(0.8, 400)[-1] < 0.02 * dear


class TestTheRate:
    def test_follows_what_is_measured_while_work_waits(self) -> None:
        rate = TokenRate()
        for second in range(60):
            rate.update(float(second), saturated=True)
            rate.count(1000 if second < 20 else 400)
        assert rate.per_s == pytest.approx(400, rel=0.01)

    def test_is_not_lowered_by_a_quiet_time(self) -> None:
        rate = TokenRate()
        rate.update(0.0, saturated=False)
        rate.count(1000)
        rate.update(1.0, saturated=False)
        rate.update(100.0, saturated=False)
        assert rate.per_s == 1000.0

    def test_is_unknown_at_first(self) -> None:
        rate = TokenRate()
        rate.count(10)
        rate.update(1.0, saturated=True)
        assert rate.per_s == 0.0
        assert not math.isnan(rate.per_s)
