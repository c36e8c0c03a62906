"""OptScale: the fitted distribution of scores, and the samples that a target takes."""

from __future__ import annotations

import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.optscale import TruncatedNormal, attainment, fitted, optimal_samples


class TestOptimalSamples:
    @pytest.mark.parametrize(
        ("below", "confidence", "samples"),
        [(0.5, 0.5, 1), (0.5, 0.75, 2), (0.5, 0.95, 5), (0.9, 0.95, 29), (0.1, 0.999, 3)],
    )
    def test_known_values(self, below: float, confidence: float, samples: int) -> None:
        assert optimal_samples(below, confidence, 256) == samples

    @given(st.floats(0.001, 0.99), st.floats(0.01, 0.999))
    def test_is_the_fewest_that_reach_the_confidence(self, below: float, confidence: float) -> None:
        samples = optimal_samples(below, confidence, 10**6)
        assert 1 - below**samples >= confidence - 1e-9
        assert samples == 1 or 1 - below ** (samples - 1) < confidence

    @given(st.floats(0.0, 1.0), st.floats(0.01, 0.999), st.integers(1, 256))
    def test_is_capped(self, below: float, confidence: float, cap: int) -> None:
        assert 1 <= optimal_samples(below, confidence, cap) <= cap

    def test_a_target_out_of_reach_takes_all_there_are(self) -> None:
        assert optimal_samples(1.0, 0.95, 16) == 16
        assert optimal_samples(0.0, 0.95, 16) == 1


def likelihood(fit: TruncatedNormal, scores: list[float]) -> float:
    """Its logarithm, up to a constant."""
    squares = math.fsum(((score - fit.mean) / fit.deviation) ** 2 for score in scores)
    return -squares / 2 - len(scores) * math.log(fit.deviation * fit.mass)


class TestTruncatedNormal:
    def test_has_its_mass_between_0_and_1(self) -> None:
        for mean, deviation in [(0.5, 0.1), (0.9, 0.3), (-0.2, 0.4), (1.3, 0.5)]:
            made = TruncatedNormal(mean, deviation)
            assert made.below(0.0) == 0.0 and made.below(1.0) == pytest.approx(1.0)
            assert made.below(0.2) < made.below(0.6) < made.below(0.9)
        assert TruncatedNormal(0.5, 0.2).below(0.5) == pytest.approx(0.5)

    @pytest.mark.parametrize(("mean", "deviation"), [(0.5, 0.15), (0.8, 0.2), (0.95, 0.2)])
    def test_is_found_again_from_its_scores(self, mean: float, deviation: float) -> None:
        rng = Random(3)
        draws = (rng.gauss(mean, deviation) for _ in range(4000))
        fit = fitted([draw for draw in draws if 0.0 <= draw <= 1.0])
        truth = TruncatedNormal(mean, deviation)
        assert fit.mean == pytest.approx(mean, abs=0.04)
        assert fit.deviation == pytest.approx(deviation, abs=0.03)
        assert fit.below(0.9) == pytest.approx(truth.below(0.9), abs=0.03)

    @given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30))
    def test_is_likelier_than_the_plain_moments(self, scores: list[float]) -> None:
        fit = fitted(scores)
        mean = math.fsum(scores) / len(scores)
        deviation = math.sqrt(math.fsum((score - mean) ** 2 for score in scores) / len(scores))
        if deviation > 0.05:
            plain = TruncatedNormal(mean, deviation)
            assert likelihood(fit, scores) >= likelihood(plain, scores) - 1e-6
        assert 0.0 <= fit.below(0.9) <= 1.0


class TestAttainment:
    def test_is_complete_when_a_sample_reaches_the_target(self) -> None:
        assert attainment([0.1, 0.92], 0.9, 0.95, 16) == 1.0
        assert attainment([], 0.9, 0.95, 16) == 0.0

    def test_is_the_share_of_the_samples_that_it_takes(self) -> None:
        scores = [0.5, 0.7, 0.8, 0.85, 0.6]
        below = fitted(scores).below(0.87)
        needed = optimal_samples(below, 0.95, 64)
        assert 5 < needed < 64
        assert attainment(scores, 0.87, 0.95, 64) == pytest.approx(5 / needed)

    def test_a_hopeless_target_takes_all_there_are(self) -> None:
        assert attainment([0.1, 0.12, 0.09, 0.11], 0.9, 0.95, 16) == 4 / 16

    @given(st.lists(st.floats(0.0, 1.0), max_size=20), st.floats(0.0, 1.0))
    def test_lies_between_0_and_1(self, scores: list[float], target: float) -> None:
        assert 0.0 <= attainment(scores, target, 0.95, 16) <= 1.0
