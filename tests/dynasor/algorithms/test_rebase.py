"""REBASE's rule."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.rebase import balanced

rewards = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


@given(rewards, st.integers(0, 300), st.floats(0.001, 100.0))
def test_the_width_is_shared_out_exactly_and_more_reward_never_gets_less(
    rewards: list[float], width: int, temperature: float
) -> None:
    counts = balanced(rewards, width, temperature)
    assert sum(counts) == width
    assert all(count >= 0 for count in counts)
    by_reward = sorted(zip(rewards, counts, strict=True))
    for (low, fewer), (high, more) in pairwise(by_reward):
        assert fewer <= more or low == high


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=12), st.integers(1, 64))
def test_follows_the_formula_of_the_paper(rewards: list[float], width: int) -> None:
    temperature = 0.2
    expected = [0] * len(rewards)
    left, order = width, sorted(range(len(rewards)), key=lambda place: -rewards[place])
    for rank, place in enumerate(order):
        exponentials = [math.exp(rewards[other] / temperature) for other in order[rank:]]
        expected[place] = math.ceil(left * exponentials[0] / math.fsum(exponentials) - 1e-9)
        left -= expected[place]
    assert balanced(rewards, width, temperature) == expected


@pytest.mark.parametrize(
    ("rewards", "width", "counts"),
    [
        ([0.9], 16, [16]),
        ([0.5, 0.5, 0.5, 0.5], 16, [4, 4, 4, 4]),
        ([0.7, 0.7, 0.7], 8, [3, 3, 2]),
        # e^4.5 : e^2.5 : e^0.5 = 0.867 : 0.117 : 0.016 of 16: 14 of 13.87, then 2 of 1.76.
        ([0.9, 0.5, 0.1], 16, [14, 2, 0]),
        ([0.1, 0.5, 0.9], 16, [0, 2, 14]),
        ([1.0, 0.0], 4, [4, 0]),
        ([0.6, 0.4], 0, [0, 0]),
    ],
)
def test_known_allocations(rewards: list[float], width: int, counts: list[int]) -> None:
    assert balanced(rewards, width, 0.2) == counts


def test_the_temperature_evens_out() -> None:
    assert balanced([0.9, 0.5, 0.1], 12, 100.0) == [5, 4, 3]
    assert balanced([0.9, 0.5, 0.1], 12, 0.001) == [12, 0, 0]
