"""The highest rate that is sustained is found with few measurements."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.online.search import RUNGS, STEPS_PER_DOUBLING, Search, rate_of


def climbed(search: Search, highest: int) -> list[int]:
    """What is measured of a system that sustains all rungs up to this one."""
    asked = []
    while (rung := search.next) is not None:
        asked.append(rung)
        search.note(rung, rung <= highest)
    return asked


def test_rungs_are_rates_that_double():
    assert rate_of(0) == 1.0
    assert rate_of(STEPS_PER_DOUBLING) == 2.0
    assert rate_of(-STEPS_PER_DOUBLING) == 0.5


@given(st.integers(RUNGS[0], RUNGS[-1] - 1))
def test_it_ends_between_two_neighbours(highest: int):
    search = Search(most=20)
    asked = climbed(search, highest)
    assert search.bracket == (highest, highest + 1)
    assert len(asked) == len(set(asked)) <= 12


@given(st.integers(RUNGS[0] - 3, RUNGS[-1] + 3), st.integers(1, 6))
def test_it_takes_no_more_measurements_than_it_may(highest: int, most: int):
    asked = climbed(Search(most=most), highest)
    assert 1 <= len(asked) <= most
    assert all(rung in RUNGS for rung in asked)


def test_usual_systems_take_four_or_five():
    assert climbed(Search(), 0) == [0, 2, 1]
    assert climbed(Search(), 5) == [0, 2, 6, 4, 5]


def test_a_lucky_measurement_above_a_failed_one_does_not_count():
    search = Search(results={0: True, 4: False, 6: True})
    assert search.bracket == (0, 4)
