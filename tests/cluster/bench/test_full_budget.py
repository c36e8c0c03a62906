"""Accuracy against the full budget, question by question."""

from __future__ import annotations

import pytest

from cluster.bench.full_budget import accuracy_difference, counts, verdict
from tests.cluster.bench.systems.made import served


def test_questions_are_compared_with_themselves():
    full = [served(n, right=n < 50) for n in range(100)]
    # Only of easy questions was it asked: being right on all of them is no gain.
    mine = [served(n, "value", right=True) for n in range(50)]
    assert accuracy_difference(mine, full, seed=0).value == 0
    worse = [served(n, "value", right=n >= 5) for n in range(50)]
    found = accuracy_difference(worse, full, seed=0)
    assert found.value == pytest.approx(-0.1)
    assert found.low < -0.1 < found.high
    assert not counts(found)
    assert "more than 0.3 points below" in verdict(found)


def test_without_any_difference_there_is_still_doubt():
    few = [served(n) for n in range(10)]
    found = accuracy_difference(few, few, seed=0)
    assert found.value == 0
    assert found.low == -found.high < -0.2
    assert counts(found)
    assert "leaves open" in verdict(found)
    many = [served(n) for n in range(2000)]
    assert "with 95% confidence" in verdict(accuracy_difference(many, many, seed=0))


def test_nothing_in_common_counts_for_nothing():
    mine = [served(n, question=f"a{n}") for n in range(5)]
    found = accuracy_difference(mine, [served(n) for n in range(5)], seed=0)
    assert not counts(found)


def test_queries_without_an_answer_are_left_to_the_deadlines():
    full = [served(n) for n in range(20)]
    mine = [served(n, answered=n % 2 == 0) for n in range(20)]
    assert accuracy_difference(mine, full, seed=0).value == 0
