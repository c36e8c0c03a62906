"""Between measured rates, attainment is read off a curve that falls."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench.online.bootstrap import blocks
from cluster.bench.online.sustained import crossing, falling, ratio, sustained

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=8)


def in_time(share: float, count: int = 200) -> list[bool]:
    """Of so many queries exactly that share, at random places."""
    met = [n < share * count for n in range(count)]
    Random(0).shuffle(met)
    return met


@given(SHARES)
def test_what_falls_is_left_and_what_rises_is_averaged(shares: list[float]):
    values, weights = np.array(shares), np.ones(len(shares))
    fitted = falling(values, weights)
    assert all(np.diff(fitted) <= 1e-12)
    assert fitted.sum() == pytest.approx(values.sum())
    ordered = np.sort(values)[::-1]
    assert falling(ordered, weights) == pytest.approx(ordered)


def test_the_rate_lies_between_the_last_sustained_and_the_first_not():
    found = sustained({1.0: in_time(1.0), 2.0: in_time(0.8), 4.0: in_time(0.2)}, seed=0)
    assert found.rate.value == pytest.approx(2**0.5)
    assert 1.0 < found.rate.low <= found.rate.value <= found.rate.high < 2.0
    assert found.bound == ""


@pytest.mark.parametrize(
    ("shares", "value", "bound"), [((1.0, 0.95), 2.0, "at least"), ((0.5, 0.4), 1.0, "at most")]
)
def test_beyond_what_was_measured_nothing_is_claimed(
    shares: tuple[float, float], value: float, bound: str
):
    found = sustained({1.0: in_time(shares[0]), 2.0: in_time(shares[1])}, seed=0)
    assert (found.rate.value, found.bound) == (value, bound)


@given(SHARES, st.integers(1, 30))
def test_it_never_leaves_the_measured_rates(shares: list[float], weight: int):
    rates = np.arange(1.0, len(shares) + 1)
    value, _ = crossing(rates, np.array(shares), np.full(len(shares), float(weight)))
    assert rates[0] <= value <= rates[-1] + 1e-9


def test_ratios_know_the_doubt_of_both_sides():
    slow = sustained({1.0: in_time(1.0), 2.0: in_time(0.5)}, seed=0)
    fast = sustained({4.0: in_time(1.0), 8.0: in_time(0.5)}, seed=1)
    found = ratio(fast, slow)
    assert found.value == pytest.approx(4.0)
    assert found.low < 4.0 < found.high


@given(st.integers(1, 300))
def test_blocks_are_neighbours(count: int):
    picks = blocks(count, np.random.default_rng(0), resamples=3)
    assert picks.shape == (3, count)
    length = max(1, round(count**0.5))
    steps = np.diff(picks[:, : min(length, count)], axis=1) % count
    assert (steps == 1 % count).all()
