"""Rewards from step scores, and votes by rewards."""

from __future__ import annotations

from typing import Any

import pytest

from dynasor.algorithms.rewards import RewardedBallot, aggregate
from dynasor.work import Finished
from tests.dynasor.algorithms.reward_world import answer


def test_step_scores_become_one_reward() -> None:
    scores = [0.5, 0.2, 0.8]
    assert aggregate(scores) == aggregate(scores, "last") == 0.8
    assert aggregate(scores, "min") == 0.2
    assert aggregate(scores, "mean") == pytest.approx(0.5)
    assert aggregate(scores, "product") == pytest.approx(0.08)


@pytest.mark.parametrize("how", ["last", "min", "mean", "product"])
def test_no_scores_are_worth_nothing(how: Any) -> None:
    assert aggregate([], how) == 0.0
    assert aggregate([float("nan")], how) == 0.0
    assert aggregate([7.0, 7.0], how) == 1.0


def made(*chains: tuple[str | None, float]) -> RewardedBallot:
    ballot = RewardedBallot()
    for branch, (key, reward) in enumerate(chains):
        ballot.ballot.add(Finished(branch, "stop", answer(key), 9))
        ballot.rewards[branch] = reward
    return ballot


def test_the_vote_is_won_by_the_sum_or_by_the_best() -> None:
    ballot = made(("1", 0.5), ("2", 0.7), ("1", 0.6), (None, 0.9))
    assert ballot.best() == ballot.best("weighted") == (answer("1"), 2)
    assert ballot.best("best") == (answer("2"), 1)
    assert ballot.top == 0.9


def test_consensus_is_the_winners_share_of_all_rewards() -> None:
    ballot = made(("1", 0.5), ("2", 0.25), (None, 0.25))
    assert ballot.consensus == pytest.approx(0.5)
    assert made((None, 0.9)).consensus == 0.0
    assert RewardedBallot().consensus == 0.0


def test_without_rewards_the_majority_wins() -> None:
    ballot = made(("1", 0.0), ("2", 0.0), ("2", 0.0))
    assert ballot.best().answer == answer("2")


def test_without_answers_the_highest_rewarded_chain_is_shown() -> None:
    assert made((None, 0.2), (None, 0.6)).best() == (None, 1)
