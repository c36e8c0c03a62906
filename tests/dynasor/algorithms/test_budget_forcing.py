"""Thinking of a length that is given."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.budget_forcing import BudgetForcing, BudgetForcingParams
from dynasor.work import Finish, Generate
from tests.dynasor.algorithms.chains import Play, answer


def begun(**params: int) -> Play:
    """A chain that runs."""
    play = Play(BudgetForcing(BudgetForcingParams(**params)))
    play.accept()
    return play


def test_the_whole_chain_is_one_unit() -> None:
    play = Play(BudgetForcing(BudgetForcingParams(max_thinking_tokens=500)))
    first = play.accept()
    assert first == Generate(
        branch=0, units=1, until=("think_end",), max_tokens=500, reserve=64, show=True
    )
    play.end(0, "step", tokens=10, kept=9)
    assert play.accept().units == 0
    assert play.certaindex().measured == 0


class TestTooShort:
    def test_its_end_is_replaced_by_wait(self) -> None:
        play = begun(min_thinking_tokens=100)
        play.end(0, "step", tokens=40, kept=38)
        piece = play.accept()
        assert piece == Generate(
            branch=1,
            units=0,
            parent=0,
            at=38,
            inject="wait",
            until=("think_end",),
            reserve=64,
            show=True,
        )

    def test_it_goes_on_only_so_often(self) -> None:
        play = begun(min_thinking_tokens=1000, max_waits=2)
        for branch in range(2):
            play.end(branch, "step", tokens=10, kept=9)
            assert play.accept().inject == "wait"
        play.end(2, "step", tokens=10, kept=9)
        assert play.accept() == Generate(branch=3, units=0, parent=2, show=True)

    def test_all_pieces_count_together(self) -> None:
        play = begun(min_thinking_tokens=100, max_waits=9)
        play.end(0, "step", tokens=60, kept=59)
        assert play.accept().inject == "wait"
        play.end(1, "step", tokens=40, kept=39)
        assert play.accept().inject == ""


class TestLongEnough:
    def test_the_answer_is_written_after_the_mark(self) -> None:
        play = begun(min_thinking_tokens=10)
        play.end(0, "step", tokens=40, kept=38)
        assert play.accept() == Generate(branch=1, units=0, parent=0, show=True)
        play.end(1, "stop", "7")
        assert play.algorithm.answer() == (answer("7"), 1)
        assert play.certaindex().measured == 1
        assert not play.demanded

    def test_a_natural_end_is_an_end(self) -> None:
        play = begun(min_thinking_tokens=1000)
        play.end(0, "stop", "7", tokens=5)
        assert play.algorithm.answer() == (answer("7"), 0)
        assert not play.demanded


class TestTooLong:
    def test_the_thinking_is_closed_and_the_answer_asked_for(self) -> None:
        play = begun(max_thinking_tokens=50, answer_tokens=12)
        play.end(0, "length", tokens=50)
        piece = play.accept()
        assert (piece.parent, piece.at, piece.inject) == (0, None, "close")
        assert (piece.until, piece.max_tokens, piece.units) == (("box",), 12, 0)
        play.end(1, "stop", "7")
        assert play.algorithm.answer() == (answer("7"), 1)

    def test_the_cap_goes_before_what_is_wanted_at_least(self) -> None:
        play = begun(min_thinking_tokens=1000, max_thinking_tokens=50)
        play.end(0, "step", tokens=50, kept=49)
        assert play.accept().inject == ""

    @given(
        ends=st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=12, max_size=12),
        least=st.integers(0, 200),
        most=st.integers(1, 200),
        waits=st.integers(0, 8),
    )
    def test_no_chain_thinks_beyond_the_cap(
        self, ends: list[tuple[int, bool]], least: int, most: int, waits: int
    ) -> None:
        play = begun(min_thinking_tokens=least, max_thinking_tokens=most, max_waits=waits)
        thought, pieces, limit = 0, 0, most
        for branch, (wanted, at_mark) in enumerate(ends):
            tokens = min(wanted, limit)
            finish: Finish = "step" if at_mark and tokens else "length"
            thought += tokens
            pieces += 1
            play.end(branch, finish, tokens=tokens, kept=max(0, tokens - 1))
            item = play.accept()
            if "think_end" not in item.until:
                break
            assert item.max_tokens is not None and item.max_tokens >= 1
            limit = item.max_tokens
        assert thought <= most
        assert pieces <= waits + 1


@pytest.mark.parametrize("finish", ["error", "stopped"])
def test_a_chain_that_is_lost_is_the_end(finish: Finish) -> None:
    play = begun()
    play.end(0, finish)
    assert not play.demanded
    assert play.certaindex().measured == 1
    assert play.algorithm.answer() == (None, 0)


def test_nothing_is_certain_before_the_end() -> None:
    play = begun()
    assert play.certaindex().value == 0.0
    assert not play.settled
