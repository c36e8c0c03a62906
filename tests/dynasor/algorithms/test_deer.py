"""Early exit where a trial answer is confident."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.deer import Deer, DeerParams
from dynasor.work import Generate, Measure, Measured, Thought
from tests.dynasor.algorithms.chains import Play, answer


def begun(**params: float) -> Play:
    """A chain that runs."""
    play = Play(Deer(DeerParams.model_validate(params)))
    play.accept()
    return play


def think(play: Play, *ends: int) -> None:
    """The chain has grown past the ends of these thoughts."""
    thoughts = tuple(Thought(end, b"") for end in ends)
    play.grow(max(ends, default=0) + 3, Measured(thoughts=thoughts))


def tried(*trials: tuple[str | None, float], **params: float) -> Play:
    """A chain with a trial answer after each thought: what it says, and its confidence."""
    play = begun(**params)
    for number, (key, confidence) in enumerate(trials, start=1):
        think(play, 10 * number)
        measured = Measured(log_probability=math.log(confidence))
        play.end(play.accept().branch, "stop", key, measured=measured)
    return play


class TestItsTrials:
    def test_come_at_the_end_of_a_thought(self) -> None:
        play = Play(Deer(DeerParams()))
        assert play.accept().measure == Measure(thoughts=True)
        play.grow(50, Measured())
        assert not play.demanded
        think(play, 37)
        (item,) = play.demanded
        assert item == Generate(
            branch=1,
            kind="probe",
            units=1,
            parent=0,
            at=37,
            inject="probe",
            until=("box",),
            max_tokens=20,
            temperature=0.0,
            measure=Measure(probability=True),
        )

    def test_come_once_for_each_thought_and_only_for_the_newest(self) -> None:
        play = begun()
        think(play, 5, 9)
        assert play.accept().at == 9
        think(play, 5, 9)
        assert not play.demanded
        think(play, 5, 9, 20, 31)
        assert play.accept().at == 31

    @given(most=st.integers(1, 12), thoughts=st.integers(0, 30))
    def test_are_limited_in_number(self, most: int, thoughts: int) -> None:
        play = begun(max_trials=most)
        trials = 0
        for number in range(1, thoughts + 1):
            think(play, 10 * number)
            trials += len(play.demanded)
            if play.demanded:
                play.end(play.accept().branch, "stop", "1")
        assert trials == min(most, thoughts) == play.certaindex().measured

    def test_are_ten_by_default(self) -> None:
        assert DeerParams().max_trials == 10


class TestItsConfidence:
    @given(st.floats(0.01, 1.0))
    def test_is_the_geometric_mean_of_the_probabilities(self, confidence: float) -> None:
        index = tried(("1", confidence)).certaindex()
        assert index.signals["confidence"] == pytest.approx(confidence)

    def test_is_nothing_before_the_first_answer(self) -> None:
        assert begun().certaindex().signals == {"confidence": 0.0}
        assert tried((None, 0.99)).certaindex().value == 0.0

    def test_is_that_of_the_newest_answer(self) -> None:
        play = tried(("1", 0.99), ("2", 0.5), (None, 0.9))
        assert play.certaindex().value == pytest.approx(0.5)
        assert play.algorithm.answer() == (answer("2"), 0)

    def test_ends_the_program_from_its_threshold_on(self) -> None:
        assert tried(("1", 0.96)).settled
        assert not tried(("1", 0.94)).settled
        assert tried(("1", 0.94), confidence=0.9).settled
        assert not begun().settled

    def test_of_an_answer_that_was_not_measured_is_not_believed(self) -> None:
        play = begun()
        think(play, 10)
        play.end(play.accept().branch, "stop", "1")
        assert play.certaindex().value == 0.0
        assert play.algorithm.answer().answer is None


def test_a_chain_that_ends_by_itself_has_the_last_word() -> None:
    play = tried(("1", 0.5))
    play.end(0, "stop", "7")
    assert play.algorithm.answer() == (answer("7"), 0)
    assert not play.demanded


def test_no_sketch_stays_in_the_state() -> None:
    play = begun()
    thoughts = tuple(Thought(end, bytes(128)) for end in range(1, 50))
    play.end(0, "step", tokens=60, measured=Measured(thoughts=thoughts))
    assert "thoughts" not in str(play.algorithm.snapshot())
