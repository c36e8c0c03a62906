"""Recorded questions under a policy."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.policies.beta import Beta, BetaParams
from dynasor.policies.even import Even, EvenParams
from dynasor.policies.value import Value, ValueParams
from dynasor.replay.program import FixedMarket, RecordedProgram
from dynasor.replay.recording import Question, Sample, halves, parse, shuffled
from dynasor.replay.study import Terms, geometric_mean, replay, summarized

EVEN = Even(EvenParams())


def question(said: str) -> Question:
    """A sample per letter, "-" for no answer; "a" is right; tokens grow by place."""
    samples = (
        Sample(None if letter == "-" else letter, 10 + place, letter == "a")
        for place, letter in enumerate(said)
    )
    return Question(tuple(samples), "model")


def program(said: str, **options: float | None) -> RecordedProgram:
    return RecordedProgram(question(said).samples, "model", FixedMarket(), **options)


class TestRecording:
    def test_reads_what_the_format_says(self) -> None:
        line = (
            '{"id": 1, "dataset": "d", "model": "m", "gold": "5", '
            '"samples": [{"answer": null, "tokens": 3, "correct": 0}]}'
        )
        one = Question((Sample(None, 3, False),), "m", id="1", dataset="d", gold="5")
        assert parse([line, "", line]) == [one] * 2

    def test_orders_are_random_and_repeatable(self) -> None:
        one = question("abcdefgh")
        orders = [tuple(shuffled(one, 0, seed)) for seed in range(5)]
        assert len(set(orders)) > 1 and orders[0] == tuple(shuffled(one, 0, 0))
        assert all(Counter(order) == Counter(one.samples) for order in orders)

    @given(st.integers(0, 50), st.integers(0, 5))
    def test_halves_hold_every_question_once(self, number: int, seed: int) -> None:
        one, two = halves(number, seed)
        assert sorted(one + two) == list(range(number))
        assert abs(len(one) - len(two)) <= 1


class TestProgram:
    @given(st.text("ab-", min_size=1, max_size=12))
    def test_the_full_budget_is_the_majority_and_pays_for_all(self, said: str) -> None:
        outcome = program(said).run(EVEN)
        votes = [letter for letter in said if letter != "-"]
        majority = max(dict.fromkeys(votes), key=votes.count, default=None)
        assert outcome == (majority, len(said), question(said).tokens, 1)

    def test_what_was_started_is_paid_in_full(self) -> None:
        outcome = program("aaaaaaaa").run(Beta(BetaParams()))
        assert outcome == ("a", 4, 10 + 11 + 12 + 13, 1)

    @given(st.text("abc-", min_size=1, max_size=12))
    def test_an_unproven_contract_gives_the_full_answer(self, said: str) -> None:
        full = program(said).run(EVEN)
        held = program(said, max_disagreement=0.01).run(Value(ValueParams()))
        assert held.answer == full.answer and held.tokens <= full.tokens

    def test_its_episode_is_the_whole_of_it(self) -> None:
        episode = program("aab-").episode()
        assert episode.cap == 4 and episode.exchangeable
        assert episode.moments[-1].votes == (2, 1) and episode.moments[-1].abstained == 1


class TestStudy:
    def test_every_question_is_run_once_for_each_seed(self) -> None:
        questions = [question("aaaa"), question("abab"), question("bbbb")]
        trials = replay(questions, EVEN, 0, Terms())
        assert sorted(trial.question for trial in trials) == [0, 1, 2]
        row = summarized(trials, 1)
        assert (row.questions, row.tokens_ratio, row.disagreement) == (3, 1.0, 0.0)
        assert row.accuracy == row.accuracy_full

    def test_errors_are_over_questions_not_over_orders(self) -> None:
        questions = [question("aaaabbbb")] * 4
        trials = [trial for seed in range(3) for trial in replay(questions, EVEN, seed, Terms())]
        assert summarized(trials, 3).difference_error == 0

    def test_a_policy_learns_from_the_other_half_only(self) -> None:
        trials = replay([question("a")], Value(ValueParams()), 0, Terms())
        assert len(trials) == 1 and not trials[0].changed

    def test_geometric_mean(self) -> None:
        assert geometric_mean([0.5, 2.0]) == pytest.approx(1.0)
        assert geometric_mean([0.0, 2.0]) == 0.0
