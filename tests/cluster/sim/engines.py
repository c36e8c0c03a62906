"""What the tests of the simulated engine build engines from."""

from __future__ import annotations

from cluster.sim.engine import Done, Job, SimEngine
from cluster.sim.profile import CallCost, EngineProfile, StepCost
from dynasor.messages import ReplicaInfo

STEP = StepCost(base_s=1.0, per_sequence_s=0.0, per_context_token_s=0.0, per_prefill_token_s=0.0)
PROFILE = EngineProfile(
    name="test",
    source="published",
    model="none",
    machine="none",
    step=STEP,
    calls=CallCost(command_s=0.0, report_s=0.0, query_s=0.0),
    slots=4,
    kv_tokens=1024,
    block_size=16,
    max_num_batched_tokens=64,
)


def engine(
    *,
    slots: int = 4,
    kv_tokens: int = 1024,
    block_size: int = 4,
    batched: int = 64,
    step: StepCost = STEP,
) -> SimEngine:
    """An idle engine whose steps take a second unless another cost is given."""
    info = ReplicaInfo(slots, kv_tokens, block_size, max_model_len=kv_tokens)
    return SimEngine(info, PROFILE, step, batched)


def job(number: int, tokens: int, limit: int, *, like: int = 0) -> Job:
    """A prompt of its own, or one like another's, of so many tokens."""
    first = (like or number) * 1000
    context = tuple(range(first, first + tokens))
    return Job(number, context, limit, range(number * 10**6, number * 10**6 + limit))


def run(sim: SimEngine) -> list[Done]:
    """All that ends, when nothing more comes."""
    done: list[Done] = []
    while sim.next_at is not None:
        done += sim.advance(sim.next_at)
    return done
