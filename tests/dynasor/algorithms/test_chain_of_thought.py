"""The probed chain of thought."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.chain_of_thought import ChainOfThought, ChainOfThoughtParams
from dynasor.answers.answer import Answer
from dynasor.work import Finish, Finished, Generate, Grew, Measure, Measured, Thought
from tests.dynasor.algorithms.chains import Play, answer


def begun(**params: float) -> Play:
    """A chain that runs."""
    play = Play(ChainOfThought(ChainOfThoughtParams.model_validate(params)))
    play.accept()
    return play


def probed(*keys: str | None, **params: float) -> Play:
    """A chain with a probe every ten tokens; "?1" is an answer that hedges."""
    play = begun(probe_every=10, **params)
    for number, key in enumerate(keys, start=1):
        play.grow(10 * number)
        branch = play.accept().branch
        hedged = key is not None and key.startswith("?")
        play.end(branch, "stop", key and key.strip("?"), measured=Measured(hedged=hedged))
    return play


class TestItsChain:
    def test_needs_no_grant_and_is_shown_as_it_grows(self) -> None:
        (item,) = Play(ChainOfThought(ChainOfThoughtParams(max_thinking_tokens=900))).demanded
        assert item == Generate(
            branch=0,
            units=0,
            until=("think_end",),
            max_tokens=900,
            reserve=64,
            follow=True,
            show=True,
        )

    def test_is_complete_where_it_ends_by_itself(self) -> None:
        play = probed("1", "1", "2")
        play.end(0, "stop", "7")
        assert play.algorithm.answer() == (answer("7"), 0)
        assert play.certaindex().value == 1.0
        assert not play.demanded

    def test_has_its_answer_written_where_its_thinking_ends(self) -> None:
        play = probed("1", "1")
        play.grow(35)
        play.end(0, "step", tokens=37)
        piece = play.accept()
        assert piece == Generate(branch=3, units=0, parent=0, show=True)
        assert not play.demanded
        play.end(3, "stop", "7")
        assert play.algorithm.answer() == (answer("7"), 3)
        assert play.certaindex().value == 1.0
        assert not play.demanded

    def test_is_closed_at_the_cap(self) -> None:
        play = probed("1", max_thinking_tokens=20, answer_tokens=30)
        play.end(0, "length", "5", tokens=20)
        piece = play.accept()
        assert piece == Generate(
            branch=2,
            units=0,
            parent=0,
            inject="close",
            until=("box",),
            max_tokens=30,
            show=True,
        )
        assert play.algorithm.answer() == (answer("1"), 0)
        play.end(2, "stop", "7")
        assert play.algorithm.answer() == (answer("7"), 2)
        assert not play.demanded

    @pytest.mark.parametrize("finish", ["length", "error", "stopped"])
    def test_falls_back_on_its_newest_probe_where_closing_fails(self, finish: Finish) -> None:
        play = probed("1", "2")
        play.end(0, "length", "5", tokens=20)
        play.end(play.accept().branch, finish)
        assert play.algorithm.answer() == (answer("2"), 0)
        assert play.certaindex().value < 1.0
        assert not play.demanded

    def test_falls_back_on_what_it_says_itself_without_any_probe(self) -> None:
        play = begun()
        play.end(0, "length", "5", tokens=20)
        play.end(play.accept().branch, "length")
        assert play.algorithm.answer() == (answer("5"), 0)

    @pytest.mark.parametrize("finish", ["error", "stopped"])
    def test_leaves_what_the_probes_said_when_it_is_lost(self, finish: Finish) -> None:
        play = probed("1", "2")
        play.grow(30)
        play.end(0, finish)
        assert play.algorithm.answer() == (answer("2"), 0)
        assert not play.demanded

    def test_takes_its_probes_back_once_it_has_an_answer(self) -> None:
        play = probed("1")
        play.grow(20)
        late = play.accept().branch
        play.end(0, "stop", "7")
        assert play.drop() == [late]
        assert not play.demanded
        play.end(late, "stop", "1")
        assert play.algorithm.answer() == (answer("7"), 0)
        assert play.certaindex().measured == 2

    def test_waits_for_its_probes_where_it_ends_without_an_answer(self) -> None:
        play = begun(probe_every=10)
        play.grow(10)
        late = play.accept().branch
        play.end(0, "stop", None)
        assert not play.demanded
        play.end(late, "stop", "1")
        assert play.algorithm.answer() == (answer("1"), 0)


class TestItsProbes:
    def test_share_the_chain_and_end_with_their_box(self) -> None:
        play = begun(probe_temperature=0.6)
        assert not play.demanded
        play.grow(70)
        (item,) = play.demanded
        assert item == Generate(
            branch=1,
            kind="probe",
            units=1,
            parent=0,
            at=64,
            inject="probe",
            until=("box",),
            max_tokens=20,
            temperature=0.6,
            measure=Measure(hedges=True),
        )

    def test_are_measured_more_closely_if_that_is_asked_for(self) -> None:
        play = begun(probability=True)
        play.grow(64)
        assert play.accept().measure == Measure(hedges=True, probability=True)

    def test_come_once_for_each_multiple(self) -> None:
        play = begun(probe_every=10)
        play.grow(9)
        assert not play.demanded
        play.grow(10)
        assert play.accept().at == 10
        play.grow(19)
        assert not play.demanded
        play.grow(20)
        assert play.accept().at == 20

    def test_skip_positions_that_are_stale(self) -> None:
        play = begun(probe_every=10)
        play.grow(10)
        play.grow(47)
        assert play.accept().at == 40
        assert not play.demanded

    def test_may_come_less_often_the_longer_the_chain_is(self) -> None:
        play = begun(probe_every=10, probe_growth=2.0)
        positions = []
        for tokens in range(100):
            play.grow(tokens)
            positions += [play.accept().at for _ in play.demanded]
        assert positions == [10, 20, 40, 80]

    @given(
        every=st.integers(1, 50),
        growth=st.floats(1.0, 2.0),
        steps=st.lists(st.integers(1, 120), max_size=20),
    )
    def test_stand_where_they_would_whatever_news_was_coalesced(
        self, every: int, growth: float, steps: list[int]
    ) -> None:
        coarse, fine = (begun(probe_every=every, probe_growth=growth) for _ in range(2))
        tokens = 0
        for step in steps:
            for now in range(tokens + 1, tokens + step + 1):
                fine.grow(now)
            tokens += step
            coarse.grow(tokens)
            assert coarse.demanded == fine.demanded

    def test_end_with_the_thinking(self) -> None:
        play = begun(probe_every=10)
        play.grow(10)
        play.end(0, "step", tokens=15)
        assert play.accept().kind == "sample"
        assert not play.demanded

    def test_count_where_they_stand_not_when_they_end(self) -> None:
        play = begun(probe_every=10)
        for tokens in (10, 20):
            play.grow(tokens)
            play.accept()
        play.end(2, "stop", "2")
        play.end(1, "stop", "1")
        assert play.algorithm.answer().answer == answer("2")


class TestItsAgreement:
    def test_is_the_share_of_the_window_that_says_what_the_newest_says(self) -> None:
        assert probed("1", "2", "1", "1", window=4).certaindex().value == 0.75
        assert probed("1", "1", "1", "2", window=4).certaindex().value == 0.25
        assert probed("2", "1", "1", "1", window=3).certaindex().value == 1.0

    def test_lacks_the_probes_that_are_missing(self) -> None:
        assert probed(window=3).certaindex().value == 0.0
        assert probed("1", "1", window=3).certaindex().value == pytest.approx(2 / 3)

    def test_leaves_out_probes_that_hedge_or_say_nothing(self) -> None:
        play = probed("1", "?2", None, "1", "?3", window=3)
        assert play.certaindex().value == pytest.approx(2 / 3)
        assert play.certaindex().measured == 5
        assert play.algorithm.answer().answer == answer("1")

    def test_shows_the_window_as_votes(self) -> None:
        index = probed("3", "1", "2", "2", window=3).certaindex()
        assert [(vote.key, vote.count) for vote in index.votes] == [("2", 2), ("1", 1)]
        assert index.streak == 2

    def test_counts_words_that_mean_the_same(self) -> None:
        play = begun(probe_every=10, window=2)
        for number, words in enumerate(("in the morning", "at dawn"), start=1):
            play.grow(10 * number)
            branch = play.accept().branch
            said = Answer(words, words, sketch=bytes(16))
            play.algorithm.observe(Finished(branch, "stop", said, 5, 5))
        assert play.certaindex().value == 1.0

    @given(
        keys=st.lists(st.sampled_from(["1", "2", "3", "?1", None]), max_size=12),
        window=st.integers(1, 6),
    )
    def test_follows_its_definition(self, keys: list[str | None], window: int) -> None:
        said = [key for key in keys if key is not None and not key.startswith("?")]
        newest = said[-window:]
        index = probed(*keys, window=window).certaindex()
        expected = newest.count(newest[-1]) / window if newest else 0.0
        assert index.signals == {"agreement": expected}
        assert index.measured == len(keys)


class TestItsEnd:
    def test_comes_when_all_probes_of_the_window_agree(self) -> None:
        assert not probed("1", "1").settled
        assert probed("1", "1", "1").settled
        assert probed("2", "1", "1", "1").settled

    def test_does_not_come_while_they_disagree(self) -> None:
        assert not probed("1", "2", "3").settled
        assert not probed("1", "1", "2").settled

    def test_comes_at_the_share_that_was_asked_for(self) -> None:
        assert probed("1", "2", "1", "1", window=4, agreement=0.75).settled
        assert not probed("1", "2", "2", "1", window=4, agreement=0.75).settled

    @pytest.mark.parametrize(("window", "every"), [(8, 64), (5, 64), (3, 64), (2, 64), (2, 32)])
    def test_needs_as_many_agreeing_probes_as_the_effort_says(
        self, window: int, every: int
    ) -> None:
        play = begun(window=window, probe_every=every)
        for number in range(1, window + 1):
            assert not play.settled
            play.grow(every * number)
            play.end(play.accept().branch, "stop", "1")
        assert play.settled


def test_may_be_probed_where_its_thoughts_end() -> None:
    play = begun(probe_every=10, probe_at="thought")
    first = play.algorithm.state.chain.pieces[0]
    for ends, due in (((), None), ((4,), None), ((4, 12), 12), ((4, 12, 15, 23), 23)):
        thoughts = tuple(Thought(end) for end in ends)
        play.algorithm.observe(Grew(first, 30, Measured(thoughts=thoughts)))
        demanded = [item for item in play.algorithm.demand() if isinstance(item, Generate)]
        assert [item.at for item in demanded] == ([] if due is None else [due])
        if demanded:
            play.accept()
