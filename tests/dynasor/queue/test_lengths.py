"""What follows, learned from what ended: it agrees with the samples, forgets, and backs off."""

from __future__ import annotations

import json
import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.queue.distribution import BUCKETS, EDGES, Distribution, bucket_of
from dynasor.queue.lengths import Lengths

LONGEST = 1 << 20

lengths = st.integers(0, LONGEST - 1)
samples = st.lists(lengths, min_size=1, max_size=40)


def learned(tokens: list[int]) -> Lengths:
    """Without forgetting, and hardly any prior."""
    known = Lengths(100.0, prior_weight=1e-9, memory=1e9)
    for length in tokens:
        known.learn(("a",), length)
    return known


def edges(tokens: int) -> tuple[float, float]:
    """The bucket of a length."""
    return EDGES[bucket_of(tokens)], EDGES[bucket_of(tokens) + 1]


class TestBuckets:
    @given(lengths)
    def test_hold_the_lengths_between_their_edges(self, tokens: int) -> None:
        low, high = edges(tokens)
        assert low <= tokens < high

    def test_the_last_takes_all_that_is_longer(self) -> None:
        assert bucket_of(LONGEST) == bucket_of(10 * LONGEST) == BUCKETS - 1


class TestRemaining:
    @given(samples, st.data())
    def test_is_the_samples_own_conditional_mean_within_a_bucket(
        self, tokens: list[int], data: st.DataObject
    ) -> None:
        generated = data.draw(st.integers(0, max(tokens)))
        longer = [length for length in tokens if length >= edges(generated)[0]]
        expected = max(1.0, sum(longer) / len(longer) - generated)
        assert learned(tokens).remaining(("a",), generated) == pytest.approx(expected, 1e-3, 0.01)

    @given(samples, st.lists(st.integers(0, 4 * LONGEST), min_size=2, max_size=9))
    def test_the_expected_whole_grows_with_what_is_there(
        self, tokens: list[int], generated: list[int]
    ) -> None:
        known = learned(tokens)
        wholes = [known.remaining(("a",), there) + there for there in sorted(generated)]
        assert all(one <= two * (1 + 1e-9) for one, two in pairwise(wholes))

    @given(st.integers(1, 3 * LONGEST))
    def test_is_defined_beyond_everything_seen(self, generated: int) -> None:
        assert 1 <= learned([3]).remaining(("a",), generated) < math.inf


class TestQuantiles:
    @given(samples, st.integers(0, LONGEST), st.lists(st.floats(0, 1), min_size=2, max_size=9))
    def test_are_monotone(self, tokens: list[int], generated: int, levels: list[float]) -> None:
        known = learned(tokens)
        quantiles = [known.quantile(("a",), generated, q) for q in sorted(levels)]
        assert all(0 <= one <= two for one, two in pairwise(quantiles))

    @given(samples, st.floats(0.01, 0.99))
    def test_are_the_samples_own_within_a_bucket(self, tokens: list[int], q: float) -> None:
        rank = q * len(tokens)
        if abs(rank - round(rank)) < 1e-3:
            return
        own = sorted(tokens)[math.floor(rank)]
        low, high = edges(own)
        assert low <= learned(tokens).quantile(("a",), 0, q) <= high


def cheapest_end(known: Distribution, bucket: int) -> float:
    """Least cost of an end over all horizons, straight from the definition."""
    best, chance, spent = math.inf, 0.0, 0.0
    beyond = [sum(known.masses[k:]) for k in range(BUCKETS + 1)]
    for k in range(bucket, BUCKETS):
        chance += known.masses[k]
        spent += known.sums[k] - EDGES[bucket] * known.masses[k]
        end = EDGES[k + 1] - EDGES[bucket] if k + 1 < BUCKETS else 0.0
        best = min(best, (spent + beyond[k + 1] * end) / chance)
    return best


class TestIndex:
    @given(samples, st.data())
    def test_is_the_least_cost_of_an_end_over_all_horizons(
        self, tokens: list[int], data: st.DataObject
    ) -> None:
        known = learned(tokens).distribution(("a",))
        bucket = bucket_of(data.draw(st.integers(0, max(tokens))))
        index = known.index(EDGES[bucket] * (1 + 1e-12))
        assert index == pytest.approx(cheapest_end(known, bucket), 1e-5, 1e-5)

    def test_prefers_who_may_end_soon_to_who_surely_takes_as_long(self) -> None:
        gamble, sure = learned([10] * 9 + [10_000]), learned([1009] * 10)
        assert gamble.remaining(("a",), 0) == pytest.approx(sure.remaining(("a",), 0))
        index = gamble.distribution(("a",)).index(0)
        assert index < 0.1 * sure.distribution(("a",)).index(0)

    def test_without_memory_it_is_the_mean(self) -> None:
        prior = Distribution.exponential(500.0)
        for generated in (0, 100, 1000, 5000):
            assert prior.remaining(generated) == pytest.approx(500, abs=0.1 * (500 + generated))
            assert prior.index(generated) == pytest.approx(500, rel=0.1)


class TestLearning:
    def test_an_unknown_key_has_the_prior(self) -> None:
        known = Lengths(300.0)
        assert known.remaining(("nobody", "knows"), 0) == pytest.approx(300, rel=0.01)
        assert known.quantile((), 0, 0.5) == pytest.approx(300 * math.log(2), rel=0.1)

    def test_an_unknown_key_has_what_its_beginning_has(self) -> None:
        known = Lengths(300.0)
        for _ in range(500):
            known.learn(("model", "algorithm", "tag"), 50)
        there = known.remaining(("model", "algorithm"), 0)
        assert known.remaining(("model", "algorithm", "other tag"), 0) == there
        assert there == pytest.approx(50, rel=0.05)

    def test_a_new_key_leans_on_its_beginning(self) -> None:
        known = Lengths(1e5)
        for _ in range(500):
            known.learn(("a", "b"), 50)
        known.learn(("a", "c"), 100)
        assert 50 < known.remaining(("a", "c"), 0) < 70

    def test_an_example_of_several_keys_counts_once_for_what_they_share(self) -> None:
        once, several = Lengths(300.0), Lengths(300.0)
        once.learn(("a", "b"), 50)
        several.learn_all([("a", "b"), ("a", "c"), ("a", "b")], 50)
        for key in ((), ("a",), ("a", "b")):
            assert several.remaining(key, 0) == once.remaining(key, 0)

    def test_what_is_old_is_forgotten(self) -> None:
        known = Lengths(300.0, memory=50.0)
        for length in [1000] * 500 + [10] * 500:
            known.learn(("a",), length)
        assert known.remaining(("a",), 0) < 40

    def test_never_overflows(self) -> None:
        known = Lengths(300.0, memory=1.0)
        for _ in range(3000):
            known.learn(("a",), 10)
        assert known.remaining(("a",), 0) < 300

    @given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), max_size=100))
    def test_keys_are_bounded(self, keys: list[tuple[int, int]]) -> None:
        known = Lengths(300.0, keys=10)
        for key in keys:
            known.learn(key, 10)
            assert len(known) <= 10 and key in known

    @given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("cd"), lengths)))
    def test_a_snapshot_brings_it_all_back(self, seen: list[tuple[str, str, int]]) -> None:
        known, other = Lengths(300.0), Lengths(300.0)
        for one, two, length in seen:
            known.learn((one, two), length)
        other.learn(("x",), 5)
        other.restore(json.loads(json.dumps(known.snapshot())))
        assert other.snapshot() == known.snapshot()
        fresh = Lengths(300.0)
        fresh.restore(known.snapshot())
        for key in (("a", "c"), ("a",), ("b", "e"), ()):
            assert other.remaining(key, 7) == fresh.remaining(key, 7)

    def test_says_what_is_wrong(self) -> None:
        with pytest.raises(ValueError, match="prior_mean: must be a number above 0, got 0"):
            Lengths(0)
        with pytest.raises(ValueError, match="tokens: must be at least 0, got -1"):
            Lengths(1).learn(("a",), -1)
