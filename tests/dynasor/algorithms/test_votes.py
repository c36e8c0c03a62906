"""The rules of the ballot."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.votes import Ballot
from dynasor.answers.answer import Answer
from dynasor.certaindex import entropy_certaindex
from dynasor.work import Finish, Finished

Chain = tuple[str | None, Finish, int]
"""Answer key, end, tokens."""

chains = st.lists(
    st.tuples(
        st.sampled_from([None, "1", "2", "3"]),
        st.sampled_from(["stop", "stop", "length", "stopped", "error", "step"]),
        st.integers(0, 500),
    ),
    max_size=20,
)


def answer(key: str | None) -> Answer | None:
    return None if key is None else Answer(f"${key}$", key)


def ballot(*chains: Chain) -> Ballot:
    filled = Ballot()
    for branch, (key, finish, tokens) in enumerate(chains):
        filled.add(Finished(branch, finish, answer(key), tokens))
    return filled


def voting(chains: Sequence[Chain]) -> list[str | None]:
    """What is said by those that ended by themselves."""
    return [key for key, finish, _ in chains if finish in ("stop", "length")]


def said(text: str, *flipped: int) -> Answer:
    """A free text answer whose sketch has these of its 64 bits set."""
    return Answer(text, text, sum(1 << bit for bit in flipped).to_bytes(8))


def texts(*answers: Answer) -> Ballot:
    filled = Ballot()
    for branch, one in enumerate(answers):
        filled.add(Finished(branch, "stop", one, 9))
    return filled


class TestBallot:
    def test_the_majority_wins(self) -> None:
        best = ballot(("1", "stop", 9), ("2", "stop", 9), ("2", "stop", 9)).best()
        assert best.answer == answer("2")

    def test_answers_vote_by_key_and_show_what_was_written_first(self) -> None:
        filled = Ballot()
        filled.add(Finished(0, "stop", Answer("1/2", "0.5"), 9))
        filled.add(Finished(1, "stop", Answer("0.50", "0.5"), 5))
        vote, *others = filled.votes()
        assert (vote.answer, vote.key, vote.count, others) == ("1/2", "0.5", 2, [])

    def test_a_tie_goes_to_the_answer_that_came_first(self) -> None:
        tied = ballot(("2", "stop", 9), ("1", "stop", 1), ("1", "stop", 1), ("2", "stop", 9))
        assert tied.best().answer == answer("2")

    def test_an_abstention_cannot_win(self) -> None:
        filled = ballot((None, "stop", 3), (None, "stop", 3), ("7", "stop", 9))
        assert filled.best().answer == answer("7")
        assert filled.abstained == 2

    def test_each_abstention_is_a_class_of_its_own(self) -> None:
        filled = ballot(("7", "stop", 9), ("7", "stop", 9), (None, "stop", 3), (None, "length", 3))
        assert filled.entropy == entropy_certaindex([2, 1, 1])

    def test_without_any_answer_nothing_is_certain(self) -> None:
        silent: list[Chain] = [(None, "length", 9)] * 5
        assert ballot(*silent).entropy == 0.0
        assert Ballot().entropy == 0.0

    def test_without_any_answer_the_first_chain_is_shown(self) -> None:
        best = ballot((None, "length", 9), (None, "stop", 3)).best()
        assert (best.answer, best.branch) == (None, 0)
        assert Ballot().best() == (None, None)

    @pytest.mark.parametrize("finish", ["stopped", "error", "step"])
    def test_a_chain_that_did_not_end_by_itself_has_no_vote(self, finish: Finish) -> None:
        filled = ballot(("1", finish, 3), ("2", "stop", 9))
        assert filled.best().answer == answer("2")
        assert ballot(("1", finish, 3)).best() == (None, None)

    def test_shown_is_the_shortest_chain_of_the_majority_that_ended(self) -> None:
        twos: list[Chain] = [("2", "length", 2), ("2", "stop", 9), ("2", "stop", 5)]
        assert ballot(("1", "stop", 1), *twos, ("2", "stop", 5)).best().branch == 3

    def test_certaindex_carries_the_evidence(self) -> None:
        filled = ballot(("1", "stop", 9), (None, "stop", 9), ("2", "stop", 9), ("2", "stop", 9))
        index = filled.certaindex(measured=7)
        assert index.signals == {"entropy": filled.entropy}
        assert [(vote.key, vote.count) for vote in index.votes] == [("2", 2), ("1", 1)]
        assert (index.measured, index.abstained, index.streak) == (7, 1, 2)

    @given(chains)
    def test_the_winner_has_the_most_votes(self, chains: list[Chain]) -> None:
        best, keys = ballot(*chains).best(), [key for key in voting(chains) if key is not None]
        if not keys:
            assert best.answer is None
            return
        tally = Counter(keys)
        assert best.answer == answer(next(key for key in keys if tally[key] == max(tally.values())))
        assert best.branch is not None and answer(chains[best.branch][0]) == best.answer

    @given(chains)
    def test_every_vote_is_counted_once(self, chains: list[Chain]) -> None:
        filled, tally = ballot(*chains), Counter(voting(chains))
        assert filled.abstained == tally.pop(None, 0)
        assert {vote.key: vote.count for vote in filled.votes()} == tally
        counts = [vote.count for vote in filled.votes()]
        assert counts == sorted(counts, reverse=True)
        assert [vote.weight for vote in filled.votes()] == counts

    @given(chains)
    def test_goes_on_after_a_snapshot(self, chains: list[Chain]) -> None:
        filled = ballot(*chains)
        copy = msgspec.json.decode(msgspec.json.encode(filled), type=Ballot)
        for one in (filled, copy):
            one.add(Finished(99, "stop", answer("2"), 1))
        assert copy == filled


class TestStreak:
    def test_counts_the_newest_chains_that_agree(self) -> None:
        filled = ballot(("2", "stop", 1), ("1", "stop", 1), ("2", "stop", 1), ("2", "length", 1))
        assert filled.streak == 2

    def test_a_chain_without_an_answer_ends_it(self) -> None:
        assert ballot(("1", "stop", 1), (None, "stop", 1)).streak == 0
        assert ballot(("1", "stop", 1), (None, "stop", 1), ("1", "stop", 1)).streak == 1

    def test_a_chain_without_a_vote_does_not(self) -> None:
        assert ballot(("1", "stop", 1), ("2", "error", 1), ("1", "stop", 1)).streak == 2

    def test_without_chains_there_is_none(self) -> None:
        assert Ballot().streak == 0

    @given(chains)
    def test_is_the_longest_end_of_equal_answers(self, chains: list[Chain]) -> None:
        newest = voting(chains)[::-1]
        alike = takewhile(lambda key: key is not None and key == newest[0], newest)
        assert ballot(*chains).streak == len(list(alike))


class TestFreeText:
    def test_answers_that_mean_the_same_vote_together(self) -> None:
        filled = texts(
            said("a cat", 1, 2), said("a feline", 1, 2, 3), said("a dog", *range(20, 60))
        )
        assert [(vote.key, vote.count) for vote in filled.votes()] == [("a cat", 2), ("a dog", 1)]
        assert filled.best().answer == said("a cat", 1, 2)

    def test_what_was_grouped_once_stays_there(self) -> None:
        one, near, far = said("one", 0), said("near", *range(8)), said("far", *range(15))
        assert [vote.count for vote in texts(one, near, far, far, near).votes()] == [3, 2]

    def test_a_streak_counts_meanings(self) -> None:
        assert texts(said("a dog", *range(40)), said("a cat", 1), said("a feline", 2)).streak == 2

    def test_an_answer_without_a_sketch_votes_by_its_key(self) -> None:
        filled = texts(said("4", 1), Answer("4", "4"), Answer("5", "5"), said("6", 2))
        assert [(vote.key, vote.count) for vote in filled.votes()] == [("4", 3), ("5", 1)]


class TestWeights:
    def test_the_heaviest_answer_wins(self) -> None:
        filled = ballot(("1", "stop", 5), ("2", "stop", 1), ("2", "stop", 1))
        assert filled.best(lambda chain: chain.tokens).answer == answer("1")
        assert [vote.weight for vote in filled.votes(lambda chain: chain.tokens)] == [5.0, 2.0]

    def test_equal_weights_are_a_tie_for_the_first(self) -> None:
        filled = ballot(("1", "stop", 2), ("2", "stop", 1), ("2", "stop", 1))
        assert filled.best(lambda chain: chain.tokens).answer == answer("1")

    def test_certaindex_counts_and_shows_the_weights(self) -> None:
        filled = ballot(("1", "stop", 5), ("2", "stop", 1), ("2", "stop", 1))
        index = filled.certaindex(3, lambda chain: chain.tokens)
        assert index.signals == {"entropy": entropy_certaindex([1, 2])}
        assert [(vote.key, vote.weight) for vote in index.votes] == [("1", 5.0), ("2", 2.0)]

    @given(chains, st.floats(0.01, 100))
    def test_softmax_is_the_definition(self, chains: list[Chain], temperature: float) -> None:
        filled = ballot(*chains)
        weigh = filled.softmax(lambda chain: chain.tokens / 500, temperature)
        voters = [chain for chain in filled.chains if chain.answer is not None]
        powers = [math.exp(chain.tokens / 500 / temperature) for chain in voters]
        for chain, power in zip(voters, powers, strict=True):
            assert weigh(chain) == pytest.approx(power / sum(powers))
        assert not voters or sum(map(weigh, voters)) == pytest.approx(1.0)

    def test_softmax_takes_scores_of_any_size(self) -> None:
        filled = ballot(("1", "stop", 5000), ("2", "stop", 4000), ("3", "stop", 0))
        weights: list[Any] = list(
            map(filled.softmax(lambda chain: chain.tokens, 1e-3), filled.chains)
        )
        assert weights == [1.0, 0.0, 0.0]
