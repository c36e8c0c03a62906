"""Particle filtering's weights and its resampling."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.particle_filtering import (
    ParticleFiltering,
    ParticleFilteringParams,
    resampled,
    weights,
)

some_rewards = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40)


@given(some_rewards, st.floats(0.001, 100.0))
def test_weights_are_a_distribution_that_grows_with_the_reward(
    rewards: list[float], temperature: float
) -> None:
    found = weights(rewards, temperature)
    assert sum(found) == pytest.approx(1.0)
    pairs = sorted(zip(rewards, found, strict=True))
    assert [weight for _, weight in pairs] == sorted(found)


def test_a_weight_is_the_odds_of_the_reward() -> None:
    assert weights([0.8, 0.5], 1.0) == pytest.approx([4 / 5, 1 / 5])
    assert weights([0.8, 0.5], 2.0) == pytest.approx([2 / 3, 1 / 3])


def test_certain_rewards_are_clipped() -> None:
    assert weights([1.0, 1.0], 1.0) == [0.5, 0.5]
    assert 0.0 < weights([1.0, 0.0], 1.0)[1] < 1e-7


@given(some_rewards, st.integers(0, 300), st.floats(0.0, 1.0, exclude_max=True))
def test_every_particle_gets_its_share_up_to_one(
    rewards: list[float], width: int, point: float
) -> None:
    shares = weights(rewards, 1.0)
    counts = resampled(shares, width, point)
    assert sum(counts) == width
    for share, count in zip(shares, counts, strict=True):
        assert abs(count - width * share) < 1 + 1e-6


def test_the_expected_count_is_the_share() -> None:
    shares, rng, total = [0.13, 0.37, 0.5], Random(1), Counter[int]()
    rounds = 4000
    for _ in range(rounds):
        for place, count in enumerate(resampled(shares, 4, rng.random())):
            total[place] += count
    for place, share in enumerate(shares):
        assert total[place] / rounds == pytest.approx(4 * share, abs=0.03)


def test_the_seed_decides() -> None:
    rewards = [0.2, 0.4, 0.6, 0.5]

    def drawn(seed: int, turn: str) -> list[int]:
        algorithm = ParticleFiltering(ParticleFilteringParams(seed=seed))
        return algorithm.spread(rewards, 16, turn)

    assert drawn(1, "0:1") == drawn(1, "0:1")
    assert len({tuple(drawn(seed, "0:1")) for seed in range(20)}) > 1
    assert len({tuple(drawn(1, f"0:{depth}")) for depth in range(20)}) > 1
