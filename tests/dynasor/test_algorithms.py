"""What every algorithm promises, and the rules of the ballot."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS, Algorithm
from dynasor.algorithms.self_consistency import SelfConsistency, SelfConsistencyParams
from dynasor.algorithms.votes import Ballot
from dynasor.answers.answer import Answer
from dynasor.certaindex import entropy_certaindex
from dynasor.work import Event, Finish, Finished, Started

CAPS = {"self_consistency": "max_branches", "sample": "n"}
"""The parameter that caps the number of branches, for every algorithm."""


def make(name: str, cap: int) -> Algorithm[Any, Any]:
    kind = ALGORITHMS.get(name, "algorithm")
    return kind(kind.Params(**{CAPS[name]: cap}))


def again(algorithm: Algorithm[Any, Any]) -> Algorithm[Any, Any]:
    """The same, through a snapshot in JSON, as it would go through a file or a wire."""
    copy = type(algorithm)(algorithm.params)
    copy.restore(msgspec.json.decode(msgspec.json.encode(algorithm.snapshot())))
    return copy


def view(algorithm: Algorithm[Any, Any]) -> tuple[Any, ...]:
    """All there is to see of an algorithm."""
    return list(algorithm.demand()), algorithm.certaindex(), algorithm.answer()


def answer(key: str | None) -> Answer | None:
    return None if key is None else Answer(f"${key}$", key)


ends = st.tuples(
    st.sampled_from(["stop", "stop", "length", "stopped", "error"]),
    st.sampled_from([None, "1", "2", "3"]),
    st.integers(0, 500),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[Event]]:
    """A cap, and events as a program may send them: accepted in order, ended in any order."""
    cap = draw(st.integers(1, 12))
    started = draw(st.integers(0, cap))
    events: list[Event] = []
    running: list[int] = []
    for branch in range(started):
        events.append(Started(branch))
        running.append(branch)
        while running and draw(st.booleans()):
            events.append(_finish(draw, running))
    for _ in range(draw(st.integers(0, len(running)))):
        events.append(_finish(draw, running))
    return cap, events


def _finish(draw: st.DrawFn, running: list[int]) -> Finished:
    branch = running.pop(draw(st.integers(0, len(running) - 1)))
    finish, key, tokens = draw(ends)
    return Finished(branch, finish, answer(key), tokens)


@pytest.mark.parametrize("name", list(ALGORITHMS))
class TestEveryAlgorithm:
    def test_has_a_hint_that_means_something(self, name: str) -> None:
        hint = ALGORITHMS.get(name, "algorithm").stop_hint
        assert hint.knob >= 1
        assert 0.0 <= hint.threshold <= 1.0

    @given(history=histories())
    def test_can_be_cut_at_any_moment(self, name: str, history: tuple[int, list[Event]]) -> None:
        cap, events = history
        algorithm = make(name, cap)
        seen: set[int] = set()
        for event in [None, *events]:
            if event is not None:
                algorithm.observe(event)
            if isinstance(event, Finished):
                seen.add(event.branch)
            best, index = algorithm.answer(), algorithm.certaindex()
            assert best.branch is None or best.branch in seen
            assert best.answer is None or best.branch is not None
            assert 0.0 <= index.value <= 1.0
            assert sum(vote.count for vote in index.votes) + index.abstained <= len(seen)

    @given(history=histories())
    def test_reading_changes_nothing(self, name: str, history: tuple[int, list[Event]]) -> None:
        cap, events = history
        watched, blind = make(name, cap), make(name, cap)
        for event in events:
            assert view(watched) == view(watched)
            watched.observe(event)
            blind.observe(event)
        assert view(watched) == view(blind)
        assert watched.snapshot() == blind.snapshot()

    @given(history=histories(), data=st.data())
    def test_a_snapshot_goes_on_to_the_same_result(
        self, name: str, history: tuple[int, list[Event]], data: st.DataObject
    ) -> None:
        cap, events = history
        middle = data.draw(st.integers(0, len(events)))
        original = make(name, cap)
        for event in events[:middle]:
            original.observe(event)
        restored = again(original)
        for event in events[middle:]:
            assert view(restored) == view(original)
            original.observe(event)
            restored.observe(event)
        assert view(restored) == view(original)

    @given(cap=st.integers(1, 40), takes=st.lists(st.integers(0, 7), max_size=20))
    def test_demand_repeats_until_started_and_ends_at_the_cap(
        self, name: str, cap: int, takes: list[int]
    ) -> None:
        algorithm = make(name, cap)
        accepted: list[int] = []
        for take in [*takes, cap]:
            demanded = list(algorithm.demand())
            assert demanded == list(algorithm.demand()), "the same until it is accepted"
            branches = [item.branch for item in demanded]
            assert len(set(branches)) == len(branches)
            assert not set(branches) & set(accepted), "accepted work is not demanded again"
            for item in islice(demanded, take):
                algorithm.observe(Started(item.branch))
                accepted.append(item.branch)
            assert len(accepted) <= cap
        assert len(accepted) == cap
        assert not list(algorithm.demand())

    @given(history=histories(), data=st.data())
    def test_the_order_of_unequal_ends_decides_only_ties(
        self, name: str, history: tuple[int, list[Event]], data: st.DataObject
    ) -> None:
        cap, events = history
        first, second = make(name, cap), make(name, cap)
        ended = [event for event in events if isinstance(event, Finished)]
        for event in ended:
            first.observe(event)
        for event in data.draw(st.permutations(ended)):
            second.observe(event)
        one, two = first.certaindex(), second.certaindex()
        assert one.value == two.value and one.abstained == two.abstained
        assert {(vote.key, vote.count) for vote in one.votes} == {
            (vote.key, vote.count) for vote in two.votes
        }


def ballot(*chains: tuple[str | None, Finish, int]) -> Ballot:
    filled = Ballot()
    for branch, (key, finish, tokens) in enumerate(chains):
        filled.add(Finished(branch, finish, answer(key), tokens))
    return filled


class TestBallot:
    def test_the_majority_wins(self) -> None:
        best = ballot(("1", "stop", 9), ("2", "stop", 9), ("2", "stop", 9)).best()
        assert best.answer == answer("2")

    def test_answers_vote_by_key_and_show_what_was_written_first(self) -> None:
        filled = Ballot()
        filled.add(Finished(0, "stop", Answer("1/2", "0.5"), 9))
        filled.add(Finished(1, "stop", Answer("0.50", "0.5"), 5))
        vote, *others = filled.certaindex().votes
        assert (vote.answer, vote.key, vote.count, others) == ("1/2", "0.5", 2, [])

    def test_a_tie_goes_to_the_answer_that_came_first(self) -> None:
        tied = ballot(("2", "stop", 9), ("1", "stop", 1), ("1", "stop", 1), ("2", "stop", 9))
        assert tied.best().answer == answer("2")

    def test_an_abstention_cannot_win(self) -> None:
        filled = ballot((None, "stop", 3), (None, "stop", 3), ("7", "stop", 9))
        assert filled.best().answer == answer("7")
        assert filled.certaindex().abstained == 2

    def test_each_abstention_is_a_class_of_its_own(self) -> None:
        filled = ballot(("7", "stop", 9), ("7", "stop", 9), (None, "stop", 3), (None, "length", 3))
        assert filled.certaindex().value == entropy_certaindex([2, 1, 1])

    def test_without_any_answer_nothing_is_certain(self) -> None:
        assert ballot(*[(None, "length", 9)] * 5).certaindex().value == 0.0
        assert Ballot().certaindex().value == 0.0

    def test_without_any_answer_the_first_chain_is_shown(self) -> None:
        best = ballot((None, "length", 9), (None, "stop", 3)).best()
        assert (best.answer, best.branch) == (None, 0)
        assert Ballot().best() == (None, None)

    @pytest.mark.parametrize("finish", ["stopped", "error"])
    def test_a_chain_that_did_not_end_by_itself_has_no_vote(self, finish: Finish) -> None:
        filled = ballot(("1", finish, 3), ("2", "stop", 9))
        assert filled.best().answer == answer("2")
        assert ballot(("1", finish, 3)).best() == (None, None)

    def test_shown_is_the_shortest_chain_of_the_majority_that_ended(self) -> None:
        twos = [("2", "length", 2), ("2", "stop", 9), ("2", "stop", 5), ("2", "stop", 5)]
        assert ballot(("1", "stop", 1), *twos).best().branch == 3

    @given(st.lists(ends, max_size=20))
    def test_the_winner_has_the_most_votes(self, chains: list[Any]) -> None:
        filled = ballot(*[(key, finish, tokens) for finish, key, tokens in chains])
        tally = Counter(key for finish, key, _ in chains if finish in ("stop", "length") and key)
        best = filled.best()
        if not tally:
            assert best.answer is None
            return
        top = max(tally.values())
        leaders = [key for finish, key, _ in chains if finish in ("stop", "length") and key]
        assert best.answer is not None
        assert best.answer.key == next(key for key in leaders if tally[key] == top)
        assert best.branch is not None and chains[best.branch][1] == best.answer.key
        counts = [vote.count for vote in filled.certaindex().votes]
        assert counts == sorted(tally.values(), reverse=True)


class TestSample:
    def test_shows_a_chain_that_ended_by_itself(self) -> None:
        algorithm = make("sample", 3)
        algorithm.observe(Finished(2, "stopped", None, 0))
        algorithm.observe(Finished(1, "error", None, 0))
        assert algorithm.answer() == (None, None)
        algorithm.observe(Finished(0, "length", None, 4))
        assert algorithm.answer() == (None, 0)

    def test_is_never_certain(self) -> None:
        algorithm = make("sample", 3)
        for branch in range(3):
            algorithm.observe(Finished(branch, "stop", answer("1"), 4))
        assert algorithm.certaindex().value == 0.0


@settings(max_examples=20)
@given(st.integers(1, 256))
def test_self_consistency_samples_the_same_prompt(cap: int) -> None:
    items = list(SelfConsistency(SelfConsistencyParams(max_branches=cap)).demand())
    assert len(items) == cap
    assert all(not item.prefix and item.kind == "sample" for item in items)
