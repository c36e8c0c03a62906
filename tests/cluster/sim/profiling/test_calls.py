"""What lies between a caller and the engines is told apart from the engine's own time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.sim.profile import StepCost
from cluster.sim.profiling.calls import Latencies, call_cost
from cluster.sim.profiling.filling import Filled, besides, slowdown
from dynasor.messages import ReplicaInfo

STEP = StepCost(
    base_s=2e-3,
    per_sequence_s=5e-5,
    per_context_token_s=3e-7,
    per_prefill_token_s=2e-5,
    per_attention_s=5e-8,
    per_start_s=5e-4,
)


def engine_s(prompt: int, tokens: int) -> float:
    """Of a branch, nothing of whose prompt is cached."""
    first = STEP.step_s(0, 0, prompt, prompt * (prompt + 1) / 2, 1)
    return first + STEP.steps_s(tokens - 1, 1, prompt + 1)


@given(st.floats(0, 0.05), st.floats(0, 0.05), st.integers(1, 32))
def test_the_ways_are_found(way, query, prompt):
    one = engine_s(prompt, 8) + way
    found = call_cost(STEP, 32, Latencies(query + one, query + 4 * one, prompt, 8, 4))
    assert found.query_s == pytest.approx(query, abs=1e-9)
    assert found.command_s + found.report_s == pytest.approx(way, abs=1e-9)


def test_no_cost_is_below_zero():
    found = call_cost(STEP, 32, Latencies(1e-6, 1e-6, 20))
    assert found.command_s == found.report_s == found.query_s == 0.0


@given(st.floats(0, 3), st.integers(1, 4), st.integers(1, 200))
def test_what_a_cluster_slows_its_engines_down_by_is_found(slower, engines, prompt):
    info = ReplicaInfo(slots=64, kv_tokens=100_000, block_size=32, max_model_len=2048)
    alone_s = STEP.base_s + STEP.steps_s(95, 64, 64 * (prompt + 1))
    read = (prompt - 1) % 32 + 1
    pairs = read * (prompt - read) + read * (read + 1) / 2
    alone_s += 64 * (STEP.step_s(0, 0, read, pairs, 1) - STEP.base_s)
    per_s = engines * 64 * 96 / (alone_s * (1 + slower))
    found = slowdown(STEP, info, Filled(per_s, engines, prompt, 16, tokens=96))
    assert found == pytest.approx(slower, abs=1e-6)
    # Half of the processors did something else meanwhile: that is no slowness of the engines.
    seen = Filled(per_s / 2, engines, prompt, 16, engines / 2, engines, tokens=96)
    assert slowdown(STEP, info, seen) == pytest.approx(slower, abs=1e-6)


@given(st.floats(0, 0.1), st.floats(0, 0.01), st.floats(10, 1e4), st.floats(10, 1e4))
def test_what_queries_and_branches_take_of_the_processors_is_found(query, branch, fast, slow):
    def seen(per_s, chains):
        beside = (query + chains * branch) * per_s / (chains * 96)
        return Filled(per_s, 2, 40, chains, beside, 2.0, tokens=96)

    found = besides(seen(fast, 16), seen(slow, 1))
    assert found == pytest.approx((query, branch), abs=1e-9)
