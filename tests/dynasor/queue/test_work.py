"""How much work a program still is: conditional on its family, its progress and what it spent."""

from __future__ import annotations

import json

import pytest

from dynasor.certaindex import Certaindex, Vote
from dynasor.queue.work import Progress, RemainingWork, Step
from dynasor.value.episode import Family

FAMILY = Family("model", "self_consistency", "sums")
START, SURE, TORN = Progress(0, 0), Progress(2, 8), Progress(2, 4)


def taught() -> RemainingWork:
    """Those that agree after 400 tokens end at 500; those that don't, at 4000."""
    known = RemainingWork()
    for _ in range(200):
        known.learn(FAMILY, [Step(START, 0), Step(SURE, 400)], 500)
        known.learn(FAMILY, [Step(START, 0), Step(TORN, 400)], 4000)
    return known


class TestProgress:
    def test_counts_units_by_powers_of_two_and_votes_by_eighths(self) -> None:
        votes = (Vote("a", "a", 3), Vote("b", "b", 1))
        assert Progress.of(Certaindex({}, 5, votes)) == Progress(3, 6)

    def test_without_votes_the_certaindex_says_how_settled_it_is(self) -> None:
        assert Progress.of(Certaindex({"reward": 0.5}, 1)) == Progress(1, 4)


class TestRemainingWork:
    def test_depends_on_progress(self) -> None:
        known = taught()
        assert known.expected(FAMILY, START, 0, 1.0) == pytest.approx(2250, rel=0.1)
        assert known.expected(FAMILY, SURE, 400, 1.0) == pytest.approx(100, rel=0.7)
        assert known.expected(FAMILY, TORN, 400, 1.0) == pytest.approx(3600, rel=0.1)

    def test_the_index_sees_that_half_of_them_end_soon(self) -> None:
        known = taught()
        assert known.index(FAMILY, START, 0, 1.0) < known.expected(FAMILY, START, 0, 1.0) / 2

    def test_a_program_that_went_on_longer_is_one_of_the_long_ones(self) -> None:
        assert taught().expected(FAMILY, START, 1500, 1.0) == pytest.approx(2500, rel=0.1)

    def test_another_tag_has_what_the_algorithm_has(self) -> None:
        there = taught().expected(FAMILY._replace(tag="proofs"), SURE, 0, 1.0)
        assert there == pytest.approx(2250, rel=0.1)

    def test_the_fallback_holds_until_something_is_known(self) -> None:
        other = FAMILY._replace(algorithm="mcts")
        assert taught().expected(other, START, 0, 123.0) == 123.0
        assert taught().index(other, START, 0, 123.0) == 123.0

    def test_a_snapshot_brings_it_back(self) -> None:
        known, other = taught(), RemainingWork()
        other.restore(json.loads(json.dumps(known.snapshot())))
        assert other.expected(FAMILY, SURE, 400, 1.0) == pytest.approx(
            known.expected(FAMILY, SURE, 400, 1.0), rel=0.2
        )

    def test_a_program_without_progress_counts_for_its_family(self) -> None:
        known = RemainingWork()
        for _ in range(100):
            known.learn(FAMILY, [], 500)
        assert known.expected(FAMILY, START, 0, 7.0) == pytest.approx(500, rel=0.3)
