"""DeepConf's confidences, by hand and against the definitions."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.confidence import Confidence, token_confidence

VALUES = st.floats(0, 30)


def filled(group: int, values: list[float]) -> Confidence:
    confidence = Confidence(group)
    for value in values:
        confidence.add(value)
    return confidence


def test_a_tokens_confidence_is_minus_the_mean_logprob() -> None:
    assert token_confidence([-1.0, -2.0, -6.0]) == 3.0
    assert token_confidence([0.0]) == 0.0
    assert token_confidence([0.0, -math.inf]) == 50.0
    # The surer, the higher: 20 equal candidates against one that has nearly all.
    flat, peaked = [math.log(1 / 20)] * 20, [math.log(0.99)] + [math.log(0.01 / 19)] * 19
    assert token_confidence(flat) == pytest.approx(math.log(20))
    assert token_confidence(peaked) > 2 * token_confidence(flat)
    with pytest.raises(ValueError, match="without candidates"):
        token_confidence([])


def test_values_by_hand() -> None:
    confidence = Confidence(3)
    assert (confidence.lowest, confidence.bottom, confidence.tail, confidence.mean) == (None,) * 4
    confidence.add(6)
    confidence.add(3)
    assert (confidence.lowest, confidence.bottom) == (None, None)
    assert (confidence.tail, confidence.mean) == (4.5, 4.5)
    confidence.add(0)
    assert (confidence.lowest, confidence.bottom, confidence.tail) == (3, 3, 3)
    for value in (12, 9):
        confidence.add(value)
    # Groups: 6 3 0 | 3 0 12 | 0 12 9
    assert (confidence.lowest, confidence.bottom, confidence.tail) == (3, 3, 7)
    assert confidence.mean == 6


def test_the_bottom_is_the_lowest_tenth_and_at_least_one() -> None:
    values = [float(value) for value in range(30)]
    assert filled(1, values[:19]).bottom == 0
    assert filled(1, values[:20]).bottom == 0.5
    assert filled(1, values[::-1]).bottom == 1


@settings(deadline=None)
@given(st.integers(1, 12), st.lists(VALUES, max_size=60))
def test_values_are_those_of_the_definitions(group: int, values: list[float]) -> None:
    confidence = filled(group, values)
    means = [
        math.fsum(values[start : start + group]) / group for start in range(len(values) - group + 1)
    ]
    if means:
        tenth = sorted(means)[: max(1, len(means) // 10)]
        assert confidence.lowest == pytest.approx(min(means), abs=1e-9)
        assert confidence.bottom == pytest.approx(sum(tenth) / len(tenth), abs=1e-9)
    else:
        assert confidence.lowest is None and confidence.bottom is None
    if values:
        last = values[-group:]
        assert confidence.tail == pytest.approx(sum(last) / len(last), abs=1e-9)
        assert confidence.mean == pytest.approx(sum(values) / len(values), abs=1e-9)
    else:
        assert confidence.tail is None and confidence.mean is None


def test_a_long_chain_loses_no_precision() -> None:
    values = [1e9, 1e-9] * 20_000 + [0.1] * 64
    assert filled(64, values).tail == pytest.approx(0.1, abs=1e-6)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_confidence_is_finite(value: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        Confidence(1).add(value)


def test_a_group_has_a_token() -> None:
    with pytest.raises(ValueError, match="at least 1 token"):
        Confidence(0)
