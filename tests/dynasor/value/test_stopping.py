"""Paths of votes and the rules they teach."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.value.mixture import PRIOR
from dynasor.value.paths import Paths, drawn, joined, looks, seen
from dynasor.value.stopping import EMPHASIS, Cost, Rule, Stopping, is_decided, state

CAP = 12


@cache
def stopping(cap: int = CAP) -> Stopping:
    return Stopping(drawn(PRIOR, cap, 8000, 1.0, seed=1), cap, EMPHASIS)


@cache
def rule(floor: float, price: float = 0.0, cap: int = CAP) -> Rule:
    return stopping(cap).rule(Cost(floor, price))


@st.composite
def votes(draw: st.DrawFn) -> tuple[int, int, int]:
    """Units that ended, and the votes of the two leading answers."""
    measured = draw(st.integers(0, CAP))
    top = draw(st.integers(0, measured))
    return measured, top, draw(st.integers(0, min(top, measured - top)))


class TestPaths:
    @given(st.integers(1, 256))
    def test_looks_go_from_nothing_to_the_cap(self, cap: int) -> None:
        times = looks(cap)
        assert times[0] == 0 and times[-1] == cap
        assert all(a < b for a, b in pairwise(times))

    @given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 4))
    def test_all_orders_end_at_the_votes_that_were_seen(self, sizes: list[int], none: int) -> None:
        partition = tuple(sorted(sizes, reverse=True))
        paths = seen([(partition, none)], PRIOR, orders=5, seed=0)
        assert (paths.top[:, -1] == partition[0]).all()
        assert (paths.second[:, -1] == (*partition, 0)[1]).all()
        assert paths.agrees[:, -1].all()
        assert paths.weights.sum() == pytest.approx(1.0)

    def test_programs_without_answers_agree_with_themselves(self) -> None:
        paths = seen([((), 4)], PRIOR, orders=3, seed=0)
        assert not paths.top.any() and paths.agrees.all() and not paths.support.any()

    def test_is_the_same_for_the_same_seed(self) -> None:
        one, two, other = (drawn(PRIOR, 8, 50, 1.0, seed) for seed in (1, 1, 2))
        assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
        assert not np.array_equal(one.top, other.top)

    def test_votes_never_outnumber_units(self) -> None:
        paths = drawn(PRIOR, CAP, 500, 1.0, seed=3)
        assert (paths.second <= paths.top).all()
        assert (paths.top + paths.second <= np.array(looks(CAP))).all()
        assert ((paths.support >= 0) & (paths.support <= 1)).all()

    def test_joined_holds_both(self) -> None:
        parts = [drawn(PRIOR, 4, 10, 3.0, seed=1), seen([((4,), 0)], PRIOR, 2, seed=1)]
        together: Paths = joined(parts)
        assert len(together.top) == 12 and together.weights.sum() == pytest.approx(4.0)


class TestDecided:
    @given(votes(), st.data())
    def test_no_further_votes_change_a_decided_lead(
        self, now: tuple[int, int, int], data: st.DataObject
    ) -> None:
        measured, top, second = now
        remaining = CAP - measured
        if not is_decided(top, second, remaining):
            return
        # The leader's first vote may have been the last of all: any equal that was there wins.
        for_second = data.draw(st.integers(0, remaining))
        assert second == 0 or second + for_second < top
        assert for_second <= top, "a new answer at most draws level, and came later"

    def test_a_runner_up_that_can_draw_level_may_have_come_first(self) -> None:
        assert is_decided(5, 2, 2) and not is_decided(5, 2, 3)

    def test_a_new_answer_must_get_past_the_leader(self) -> None:
        assert is_decided(4, 0, 4) and not is_decided(4, 0, 5)
        assert not is_decided(0, 0, 3)


class TestRule:
    @given(votes(), st.sampled_from([0.0, 1e-4, 1e-2, 1.0]))
    def test_gains_are_no_losses_and_waves_fit(
        self, now: tuple[int, int, int], floor: float
    ) -> None:
        measured, top, second = now
        outlook = rule(floor).outlook(*now)
        assert outlook.gain >= 0
        if outlook.worth:
            assert 1 <= outlook.least <= CAP - measured
            assert outlook.least <= outlook.likely + 1e-9 <= CAP - measured + 1e-6
        if is_decided(top, second, CAP - measured):
            assert not outlook.worth and outlook.gain == 0

    @given(votes())
    def test_goes_on_less_the_more_it_costs(self, now: tuple[int, int, int]) -> None:
        outlooks = [rule(floor).outlook(*now) for floor in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)]
        for cheap, dear in pairwise(outlooks):
            assert cheap.worth or not dear.worth or not cheap.gain

    def test_without_an_answer_it_goes_on_while_compute_is_free(self) -> None:
        assert all(rule(1.0).outlook(n, 0, 0).worth for n in range(CAP))
        assert not rule(0.0, price=1.0).outlook(6, 0, 0).worth

    def test_the_lead_that_settles_it_is_larger_where_more_can_come(self) -> None:
        def lead(cap: int) -> int:
            costs = rule(0.05 / cap, cap=cap)
            return next(n for n in range(1, cap + 1) if not costs.outlook(n, n, 0).worth)

        assert 2 <= lead(6) <= lead(12) <= lead(40) <= 10

    def test_hopeless_programs_lose_compute_before_close_ones(self) -> None:
        def still_worth(top: int, second: int) -> float:
            prices = [2.0 ** (-step / 2) for step in range(8, 24)]
            return max(p for p in prices if rule(0.0, p).outlook(6, top, second).worth)

        assert still_worth(1, 1) < still_worth(3, 3)

    def test_between_looks_it_waits_for_the_next(self) -> None:
        between = next(n for n in range(40) if n not in looks(40))
        outlook = rule(0.01, cap=40).outlook(between, between // 2, between // 2)
        assert outlook.worth and between + outlook.least in looks(40)

    def test_states_tell_leads_from_ties(self) -> None:
        assert len({state(0, 0), state(1, 0), state(1, 1), state(2, 1), state(2, 0)}) == 5
