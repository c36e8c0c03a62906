"""Statistics with values that are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.bench import stats
from cluster.bench.stats import (
    Interval,
    bootstrap_means,
    difference_of_means,
    difference_of_medians,
    markdown_table,
    mean,
    paired_bootstrap,
    percentile,
    ratio,
    ratio_of_sums,
    share_interval,
)


def test_percentiles_interpolate():
    values = [float(value) for value in range(1, 102)]
    assert [percentile(values, q) for q in (0, 50, 90, 99, 100)] == [1, 51, 91, 100, 101]
    assert percentile([1.0, 2.0], 50) == 1.5


def test_nothing_measured_is_nan():
    assert math.isnan(percentile([], 50))
    assert math.isnan(mean([]))
    assert math.isnan(ratio(1, 0))
    assert all(map(math.isnan, paired_bootstrap([], [], difference_of_means, 0)))


def test_a_constant_difference_has_no_spread():
    a = [3.0, 5.0, 11.0, 8.0]
    b = [value - 2.0 for value in a]
    assert paired_bootstrap(a, b, difference_of_means, 0) == Interval(2.0, 2.0, 2.0)


def test_ratio_of_sums():
    assert paired_bootstrap([1.0, 2.0], [2.0, 4.0], ratio_of_sums, 0) == Interval(0.5, 0.5, 0.5)


def test_difference_of_medians_is_not_that_of_means():
    value = paired_bootstrap([1.0, 2.0, 90.0], [1.0, 1.0, 1.0], difference_of_medians, 0).value
    assert value == 1.0


def test_interval_of_a_mean_agrees_with_the_normal_approximation():
    rng = np.random.default_rng(7)
    a = rng.normal(1.0, 2.0, 400)
    interval = paired_bootstrap(list(a), [0.0] * 400, difference_of_means, 1)
    half = 1.96 * a.std() / math.sqrt(400)
    assert interval.value == pytest.approx(a.mean())
    assert interval.low == pytest.approx(a.mean() - half, abs=0.02)
    assert interval.high == pytest.approx(a.mean() + half, abs=0.02)


def test_interval_is_repeatable_and_does_not_depend_on_memory(monkeypatch):
    a, b = [1.0, 5.0, 2.0], [2.0, 2.0, 2.0]
    first = paired_bootstrap(a, b, difference_of_means, 3)
    assert paired_bootstrap(a, b, difference_of_means, 3) == first
    monkeypatch.setattr(stats, "BATCH_CELLS", 7)
    in_batches = paired_bootstrap(a, b, difference_of_means, 3)
    assert in_batches.value == first.value
    assert in_batches.low == pytest.approx(first.low, abs=0.2)


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=30))
def test_interval_lies_within_the_possible(pairs):
    a, b = ([float(pair[side]) for pair in pairs] for side in (0, 1))
    value, low, high = paired_bootstrap(a, b, difference_of_means, 0, resamples=200)
    assert -1 <= low <= high <= 1
    assert value == pytest.approx(mean(a) - mean(b))


def test_samples_of_different_length_are_refused():
    with pytest.raises(ValueError, match="same length, got 1 and 2"):
        paired_bootstrap([1.0], [1.0, 2.0], difference_of_means, 0)


def test_interval_is_shown_in_one_format():
    assert Interval(1.25, -0.5, 3.0).show("+.1f") == "+1.2 (95%: -0.5 to +3.0)"


def test_markdown_table():
    assert markdown_table(["policy", "n"], [["even", "1"], ["threshold", "22"]]).splitlines() == [
        "| policy    |   n |",
        "| --------- | --: |",
        "| even      |   1 |",
        "| threshold |  22 |",
    ]


def test_interval_of_a_share_is_wilsons():
    assert share_interval([1.0] * 8 + [0.0] * 2) == pytest.approx((0.8, 0.4902, 0.9433), abs=1e-4)
    assert share_interval([1.0] * 200) == pytest.approx((1.0, 0.9812, 1.0), abs=1e-4)
    assert share_interval([0.0] * 200) == pytest.approx((0.0, 0.0, 0.0188), abs=1e-4)
    assert all(map(math.isnan, share_interval([])))


def test_means_of_columns_are_resampled_together():
    rng = np.random.default_rng(3)
    columns = np.stack([rng.normal(size=50), rng.normal(size=50)], axis=1)
    columns[:, 1] = 2 * columns[:, 0] + 1
    means = bootstrap_means(columns, seed=0, resamples=500)
    assert means.shape == (500, 2)
    assert means[:, 1] == pytest.approx(2 * means[:, 0] + 1)
    assert means[:, 0].std() == pytest.approx(columns[:, 0].std() / math.sqrt(50), rel=0.2)
