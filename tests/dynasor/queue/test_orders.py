"""Who goes first: what each order promises, and that nobody is overtaken for ever."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dynasor.queue.orders import ORDERS, Order, OrderParams, Standing
from dynasor.queue.queue import Queue
from dynasor.queue.settings import QueueSettings, TenantSettings

names = st.sampled_from(list(ORDERS))
params = st.builds(OrderParams, ageing_rate=st.floats(0.01, 10), max_cost_s=st.floats(1, 1000))
tokens = st.floats(0, 1e9)
rates = st.floats(0.1, 1e4)


@st.composite
def standings(draw: st.DrawFn, arrival: int = 0) -> Standing:
    at = draw(st.floats(0, 1e5))
    deadline = draw(st.none() | st.floats(0, 1e4))
    return Standing(
        arrival,
        at,
        *(draw(tokens) for _ in range(4)),
        priority_s=draw(st.floats(0, 100)),
        deadline_at=None if deadline is None else at + deadline,
    )


def order(name: str, **given_params: float) -> Order:
    return ORDERS.get(name, "order")(OrderParams(**given_params))


@given(names, params, standings(), standings(1), rates, rates)
def test_nobody_is_overtaken_by_who_comes_later_than_the_bound(
    name: str, given_params: OrderParams, one: Standing, two: Standing, rate: float, later: float
) -> None:
    there = ORDERS.get(name, "order")(given_params)
    start, other = (program.submitted_at - program.priority_s for program in (one, two))
    if other > start + there.overtaken_within_s + 1e-6:
        assert there.key(one, rate) < there.key(two, later)


@given(names, st.lists(st.tuples(st.floats(0, 5), tokens, st.floats(0, 9)), max_size=200))
def test_nobody_starves_under_adversarial_arrivals(
    name: str, rivals: list[tuple[float, float, float]]
) -> None:
    """A start for each arrival, all of which may look cheap and pressed; the victim neither."""
    there = order(name, ageing_rate=0.5, max_cost_s=10.0)
    queue, now = Queue(lambda _: 1.0), 0.0
    queue.put("victim", "t", there.key(Standing(0, 0.0, 1e9, 1e9, 1e9)))
    submitted_at = {}
    for number, (gap, size, slack) in enumerate(rivals, start=1):
        now += gap
        rival = Standing(number, now, size, size, size, deadline_at=now + slack)
        submitted_at[f"rival {number}"] = now
        queue.put(f"rival {number}", "t", there.key(rival))
        head = queue.head()
        assert head is not None
        if head == "victim":
            return
        assert submitted_at[head] <= there.overtaken_within_s + 1e-6
        queue.remove(head)


@given(names, params, standings(), rates)
def test_keys_are_finite_and_costs_within_bounds(
    name: str, given_params: OrderParams, program: Standing, rate: float
) -> None:
    key, arrival = ORDERS.get(name, "order")(given_params).key(program, rate)
    start = given_params.ageing_rate * (program.submitted_at - program.priority_s)
    assert math.isfinite(key) and arrival == program.arrival
    assert start - 1e-6 <= key <= start + given_params.max_cost_s + 1e-6


class TestCosts:
    def test_fcfs_goes_by_submission(self) -> None:
        there = order("fcfs")
        assert there.key(Standing(0, 1.0, 9.0, 9e9)) < there.key(Standing(1, 1.1))

    def test_equal_programs_go_in_the_order_of_arrival(self) -> None:
        for name in ORDERS:
            assert order(name).key(Standing(0, 1.0)) < order(name).key(Standing(1, 1.0))

    def test_least_attained_goes_by_powers_of_two(self) -> None:
        there = order("least_attained")
        same = [there.cost_tokens(Standing(0, 0.0, tokens)) for tokens in (64, 100, 127.9)]
        assert set(same) == {64.0}
        assert there.cost_tokens(Standing(0, 0.0, 128)) == 128
        assert there.cost_tokens(Standing(0, 0.0, 0)) == 0

    def test_shortest_remaining_goes_by_the_mean_and_gittins_by_the_index(self) -> None:
        one, two = Standing(0, 0.0, 0.0, 100.0, 90.0), Standing(1, 0.0, 0.0, 200.0, 10.0)
        assert order("shortest_remaining").key(one) < order("shortest_remaining").key(two)
        assert order("gittins").key(two) < order("gittins").key(one)

    @given(st.floats(0, 1e6), st.floats(1, 1e6))
    def test_long_programs_keep_an_order_among_themselves(self, less: float, more: float) -> None:
        there = order("shortest_remaining")
        one, two = (Standing(0, 0.0, 0.0, size) for size in (less, less + more))
        assert there.key(one) < there.key(two)

    def test_priority_is_a_head_start(self) -> None:
        there = order("shortest_remaining")
        early = there.key(Standing(0, 0.0, 0.0, 50.0))
        assert there.key(Standing(0, 30.0, 0.0, 50.0, priority_s=30.0)) == early


class TestDeadlines:
    def test_who_must_start_goes_before_everyone_submitted_later(self) -> None:
        there = order("shortest_remaining", ageing_rate=1.0)
        pressed = Standing(0, 0.0, 0.0, 1e6, serial_tokens=400.0, deadline_at=20.0)
        latest = 20.0 - 400.0 / 40
        assert there.key(pressed) < there.key(Standing(1, latest + 0.01))
        assert there.key(pressed) > there.key(Standing(1, latest - 0.01))

    def test_who_has_time_goes_by_cost(self) -> None:
        there = order("shortest_remaining")
        assert there.key(Standing(0, 0.0, 0.0, 80.0, deadline_at=1e6)) == there.key(
            Standing(0, 0.0, 0.0, 80.0)
        )

    @given(names, params, standings(), rates)
    def test_a_deadline_never_sets_back(
        self, name: str, given_params: OrderParams, program: Standing, rate: float
    ) -> None:
        there = ORDERS.get(name, "order")(given_params)
        assert there.key(program, rate) <= there.key(program._replace(deadline_at=None), rate)


class TestSettings:
    def test_name_the_order(self) -> None:
        for name in ORDERS:
            assert QueueSettings(order=name).build_order().name == name

    def test_an_unknown_order_is_an_error_that_names_the_known(self) -> None:
        with pytest.raises(ValidationError, match=r"known: fcfs, gittins, least_attained"):
            QueueSettings(order="best")

    def test_tenants_that_are_not_named_weigh_1(self) -> None:
        settings = QueueSettings(tenants={"gold": TenantSettings(weight=4)})
        assert (settings.weight("gold"), settings.weight("other")) == (4.0, 1.0)
