"""What is proven of an accuracy contract."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.value.contract import RECENT, certificate, is_above, is_below, upper_bound

rates = st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.5, 1.0])


def losses(rate: float, number: int, seed: int = 0) -> list[float]:
    random = Random(seed)
    return [float(random.random() < rate) for _ in range(number)]


class TestBound:
    def test_nothing_is_proven_by_nothing(self) -> None:
        assert not is_below([], 0.99) and not is_above([], 0.01)
        assert upper_bound([]) == 1.0

    def test_without_a_loss_a_proof_takes_a_few_over_epsilon_programs(self) -> None:
        assert is_below([0.0] * 420, 0.01) and not is_below([0.0] * 250, 0.01)
        assert is_below([0.0] * 80, 0.05) and not is_below([0.0] * 50, 0.05)

    @given(rates, st.integers(0, 400), st.integers(0, 5))
    def test_never_proves_a_thing_and_its_opposite(self, rate: float, n: int, seed: int) -> None:
        seen = losses(rate, n, seed)
        assert not (is_below(seen, 0.05) and is_above(seen, 0.05))

    @given(st.lists(st.floats(0, 1), max_size=50), st.floats(0, 1))
    def test_bounds_lie_above_the_mean(self, seen: list[float], level: float) -> None:
        mean = sum(seen) / max(1, len(seen))
        if is_below(seen, level):
            assert mean < level or level == 1
        assert upper_bound(seen) >= mean - 1e-9

    def test_is_wrong_at_most_as_often_as_it_says(self) -> None:
        level = 0.05
        wrong = sum(is_below(losses(level, 300, seed), level) for seed in range(400))
        assert wrong / 400 <= 0.05


class TestCertificate:
    def test_takes_the_boldest_rule_that_is_safe_enough(self) -> None:
        seen = np.array([losses(0.0, 500), losses(0.0, 500), losses(0.2, 500)]).T
        proven = certificate(seen, 0.02)
        assert proven.rule == 1 and proven.bound <= 0.02 and not proven.alarm

    def test_ends_at_the_first_rule_that_fails(self) -> None:
        seen = np.array([losses(0.2, 500), losses(0.0, 500)]).T
        assert certificate(seen, 0.02).rule is None

    def test_few_programs_prove_nothing(self) -> None:
        proven = certificate(np.zeros((20, 3)), 0.01)
        assert proven.rule is None and proven.programs == 20

    @pytest.mark.parametrize("epsilon", [0.01, 0.05])
    def test_drift_raises_an_alarm_and_trusts_nothing(self, epsilon: float) -> None:
        seen = np.zeros((3000, 1))
        assert certificate(seen, epsilon).rule == 0
        seen[-RECENT // 5 :] = 1.0
        drifted = certificate(seen, epsilon)
        assert drifted.alarm and drifted.rule is None and drifted.recent == pytest.approx(0.2)
