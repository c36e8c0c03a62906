"""Schedules: what arrives when, and in which order policies are measured."""

from __future__ import annotations

import math
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.load.arrivals import completion_rate, points, poisson, queries
from cluster.bench.load.mix import read_mix

MIX = read_mix()


def test_equal_arguments_give_equal_arrivals():
    first = poisson(MIX, (1, 8), 5.0, 20.0, "0:0.5:0")
    assert first == poisson(MIX, (1, 8), 5.0, 20.0, "0:0.5:0")
    assert first != poisson(MIX, (1, 8), 5.0, 20.0, "1:0.5:0")


def test_arrivals_are_numbered_in_order_and_within_their_time():
    arrivals = poisson(MIX, (1, 2), 10.0, 30.0, "s")
    times = [arrival.at_s for arrival in arrivals]
    assert times == sorted(times)
    assert times[0] > 0 and times[-1] < 30
    assert [arrival.number for arrival in arrivals] == list(range(len(arrivals)))


def test_arrivals_are_a_poisson_process_of_the_rate():
    counts = [len(poisson(MIX, (1,), 4.0, 25.0, str(seed))) for seed in range(200)]
    average = sum(counts) / len(counts)
    variance = sum((count - average) ** 2 for count in counts) / len(counts)
    assert average == pytest.approx(100, abs=3)
    assert variance == pytest.approx(100, rel=0.35)


def test_queries_follow_the_shares_and_cover_the_levels():
    drawn = queries(MIX, (1, 3, 8), Random(0))
    found = [next(drawn) for _ in range(4000)]
    kinds = Counter(kind.name for kind, _ in found)
    for kind in MIX.kinds:
        assert kinds[kind.name] / len(found) == pytest.approx(kind.share / 100, abs=0.03)
    assert {problem.level for _, problem in found} == {1, 3, 8}


@pytest.mark.parametrize("rate", [0.0, -1.0, math.nan])
def test_a_rate_that_is_none_is_refused(rate):
    with pytest.raises(ValueError, match="queries per second must be above 0"):
        poisson(MIX, (1,), rate, 1.0, "s")


@given(
    st.lists(st.sampled_from((0.3, 0.6, 1.0, 2.0)), min_size=1, max_size=4, unique=True),
    st.integers(1, 4),
    st.integers(1, 3),
)
def test_every_rate_measures_every_policy_in_every_turn(rates, count, turns):
    policies = tuple("abcd"[:count])
    order = points(rates, policies, turns)
    assert len(set(order)) == len(order) == len(rates) * count * turns
    assert [point.rate for point in order] == [r for r in rates for _ in range(count * turns)]
    blocks = [order[i : i + count] for i in range(0, len(order), count)]
    assert all({point.policy for point in block} == set(policies) for block in blocks)


def test_each_policy_comes_first_in_turn():
    order = points((0.3, 0.6, 0.9), ("a", "b", "c"), 1)
    assert [point.policy for point in order[::3]] == ["a", "b", "c"]


def test_capacity_counts_completions_between_two_times():
    assert completion_rate([0.5, 1.0, 1.5, 2.0, 2.9, 3.0], 1.0, 3.0) == 2.0
    assert completion_rate([], 0.0, 2.0) == 0.0
    assert math.isnan(completion_rate([1.0], 2.0, 2.0))
