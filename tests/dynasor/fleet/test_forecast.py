"""The forecast of a KV cache's peak, against a simulation token by token."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dynasor.fleet.forecast import Forecast


class Sequence(NamedTuple):
    program: str
    held: int
    left: int


PROMPTS = {"p": 0, "q": 7, "r": 40}
sequences = st.lists(
    st.builds(
        Sequence, st.sampled_from(sorted(PROMPTS)), held=st.integers(0, 60), left=st.integers(0, 60)
    ),
    max_size=10,
)


def simulated(running: list[Sequence]) -> int:
    """Most tokens held at once if each grows by one a step and goes when it has none left."""
    peak = 0
    for step in range(max((sequence.left for sequence in running), default=0) + 1):
        alive = [sequence for sequence in running if sequence.left >= step]
        own = sum(sequence.held + step for sequence in alive)
        peak = max(peak, own + sum(PROMPTS[program] for program in {one.program for one in alive}))
    return peak


def as_in_the_paper(running: list[Sequence]) -> int:
    """max over i of (b_i * i + sum over j <= i of a_j), the longest first."""
    ordered = sorted(running, key=lambda sequence: -sequence.left)
    sums = [
        one.left * (i + 1) + sum(other.held for other in ordered[: i + 1])
        for i, one in enumerate(ordered)
    ]
    return max(sums, default=0)


def forecast(running: list[Sequence], now: int = 0) -> Forecast:
    made = Forecast()
    for run, (program, held, left) in enumerate(running):
        made.add(run, program, PROMPTS[program], held, left, 0.0, held + left, now)
    return made


@given(sequences, st.integers(0, 1000))
def test_is_what_a_simulation_shows(running: list[Sequence], now: int) -> None:
    assert forecast(running, now).peak(now) == simulated(running)


@given(sequences)
def test_is_the_formula_of_the_paper_where_nothing_is_shared(running: list[Sequence]) -> None:
    alone = [sequence._replace(program="p") for sequence in running]
    assert forecast(alone).peak(0) == as_in_the_paper(alone)


@given(sequences, st.builds(Sequence, st.sampled_from(sorted(PROMPTS)), st.just(5), st.just(9)))
def test_one_more_is_forecast_as_if_it_were_there(running: list[Sequence], more: Sequence) -> None:
    there = forecast(running)
    asked = there.peak_with(more.program, PROMPTS[more.program], more.held, more.left, 0)
    assert asked == simulated([*running, more])
    assert there.peak(0) == simulated(running), "asking changes nothing"


@given(sequences, st.integers(0, 30))
def test_time_alone_changes_no_forecast_while_it_holds(running: list[Sequence], steps: int) -> None:
    there = forecast(running)
    for run, sequence in enumerate(running):
        if sequence.left < steps:
            there.remove(run)
    alive = [sequence for sequence in running if sequence.left >= steps]
    grown = [
        sequence._replace(held=sequence.held + steps, left=sequence.left - steps)
        for sequence in alive
    ]
    assert there.peak(steps) == simulated(grown)


@example([Sequence("q", 0, 0), Sequence("q", 0, 0), Sequence("p", 0, 2)], [(0, 0), (0, 2)])
@given(sequences, st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=12))
def test_ends_and_other_expectations(
    running: list[Sequence], changes: list[tuple[int, int]]
) -> None:
    there, alive = forecast(running), dict(enumerate(running))
    for run, left in changes:
        if run not in alive:
            continue
        if left % 2:
            there.remove(run)
            del alive[run]
        else:
            alive[run] = alive[run]._replace(left=left)
            there.revise(run, alive[run].held, left, 0.0, 0)
        left_over = list(alive.values())
        assert there.bound >= simulated(left_over), "never below the peak"
        assert there.peak(0) == simulated(left_over)
        prompts = sum(PROMPTS[program] for program in {one.program for one in left_over})
        first = dict(enumerate(running))
        assert there.most == prompts + sum(first[one].held + first[one].left for one in alive)


@given(sequences, st.integers(0, 9))
def test_of_the_oldest_is_as_if_the_others_were_not_there(
    running: list[Sequence], last: int
) -> None:
    assert forecast(running).peak_of_oldest(last, 0) == simulated(running[: last + 1])


def test_deviations_add_up_by_their_squares() -> None:
    there = Forecast()
    for run, deviation in enumerate((3.0, 4.0)):
        there.add(run, "p", 0, 1, 10, deviation, 11, 0)
    assert there.margin == pytest.approx(5.0)
    there.remove(0)
    assert there.margin == pytest.approx(4.0)


@given(sequences)
def test_the_longest_come_first(running: list[Sequence]) -> None:
    found = list(forecast(running).longest(0))
    assert [left for _, _, left in found] == sorted((one.left for one in running), reverse=True)
    assert {run: own for run, own, _ in found} == {run: one.held for run, one in enumerate(running)}
