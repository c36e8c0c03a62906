"""Fits find the costs that samples were made with."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.sim.profile import StepCost
from cluster.sim.profiling.fit import (
    errors,
    fit_crowding,
    fit_step,
    non_negative_least_squares,
    predicted,
)
from cluster.sim.profiling.windows import Sample, Window, sample, windows
from dynasor.messages import ReplicaInfo

INFO = ReplicaInfo(slots=64, kv_tokens=100_000, block_size=32, max_model_len=2048)
BATCHED = 512

costs = st.builds(
    StepCost,
    base_s=st.floats(1e-3, 1e-2),
    per_sequence_s=st.floats(1e-5, 1e-3),
    per_context_token_s=st.floats(1e-8, 1e-6),
    per_prefill_token_s=st.floats(1e-6, 1e-4),
    per_attention_s=st.floats(1e-9, 1e-7),
    per_start_s=st.floats(1e-5, 1e-3),
)


def measured(cost: StepCost, noise: float, seed: int, others: int = 0, crowding: float = 0.0):
    """Samples of all windows of an engine with these costs."""
    rng = Random(seed)
    found = []
    for window in windows(INFO, BATCHED):
        steps = max(window.steps, -(-window.prompts * window.prompt // BATCHED))
        exact = sample(window, steps, 2, 1.0, others)
        seconds = predicted(cost, exact, crowding) * (1 + rng.uniform(-noise, noise))
        found.append(sample(window, steps, 2, seconds, others))
    return found


@given(costs)
@settings(max_examples=30)
def test_exact_times_give_back_the_costs(cost):
    fitted = fit_step(measured(cost, 0.0, 0))
    for name, value in cost.model_dump().items():
        assert getattr(fitted, name) == pytest.approx(value, rel=1e-3), name


@given(costs, st.integers(0, 1000))
@settings(max_examples=30)
def test_noisy_times_give_costs_that_predict_within_the_noise(cost, seed):
    samples = measured(cost, 0.1, seed)
    exact = measured(cost, 0.0, 0)
    assert errors(fit_step(samples), 0.0, exact)["mean"] < 0.06


@given(costs, st.floats(0, 2), st.integers(0, 1000))
@settings(max_examples=30)
def test_crowding_is_found(cost, crowding, seed):
    beside = measured(cost, 0.05, seed, others=1, crowding=crowding)
    assert fit_crowding(cost, beside) == pytest.approx(crowding, abs=0.06 * (1 + crowding))


def test_crowding_of_engines_that_were_alone_is_none():
    cost = StepCost(base_s=1e-3, per_sequence_s=0, per_context_token_s=0, per_prefill_token_s=0)
    assert fit_crowding(cost, measured(cost, 0.1, 0)) == 0.0


def test_nothing_measured_is_refused():
    with pytest.raises(ValueError, match="nothing was measured"):
        fit_step([])


@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(6, 20))
@settings(max_examples=100)
def test_non_negative_least_squares_is_optimal(seed, columns, rows):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    x = non_negative_least_squares(a, b)
    gradient = a.T @ (b - a @ x)
    # Karush-Kuhn-Tucker: no cost can be changed, within its bounds, to the better.
    assert (x >= 0).all()
    assert (gradient <= 1e-6).all()
    assert np.abs(gradient[x > 0]).max(initial=0.0) <= 1e-6


def test_a_window_counts_what_its_steps_compute():
    found = sample(Window(2, 10, prompts=3, prompt=4, steps=1), 3, before=5, seconds=1.0, others=1)
    assert found == Sample(
        steps=3,
        seconds=1.0,
        decoding=6,
        context_tokens=2 * (16 + 17 + 18),
        started=3,
        prefill_tokens=12,
        attended=3 * (1 + 2 + 3 + 4),
        others=1,
    )


def test_windows_fit_into_the_engine():
    for window in windows(INFO, BATCHED):
        assert 1 <= window.decoding + window.prompts <= INFO.slots
        held = window.decoding * window.context + window.prompts * window.prompt
        assert held < INFO.kv_tokens
        assert max(window.context, window.prompt) < INFO.max_model_len


@pytest.mark.parametrize("slots", [1, 2, 7, 1024])
def test_there_are_windows_for_engines_of_every_size(slots):
    info = ReplicaInfo(slots=slots, kv_tokens=4096, block_size=16, max_model_len=512)
    found = list(windows(info, 256))
    assert found
    assert all(window.decoding <= slots for window in found)
