"""What holds for a simulated engine whatever comes."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.sim.engine import Done, Job
from cluster.sim.profile import StepCost
from tests.cluster.sim.engines import engine, job, run

workloads = st.lists(
    st.tuples(
        st.floats(0.0, 20.0),
        st.integers(1, 6),
        st.integers(1, 40),
        st.integers(0, 60),
        st.one_of(st.none(), st.floats(0.0, 40.0)),
    ),
    min_size=1,
    max_size=12,
)
real = StepCost(
    base_s=0.013,
    per_sequence_s=0.0007,
    per_context_token_s=3.1e-5,
    per_prefill_token_s=0.0011,
    per_attention_s=1.3e-6,
)


def play(what: list[tuple[float, int, int, int, float | None]], looks: list[float]) -> list[Done]:
    """Jobs that come, some of which are aborted, while somebody looks at the engine."""
    sim = engine(slots=3, kv_tokens=160, block_size=4, batched=16, step=real)
    events: list[tuple[float, Job | int | None]] = [(at, None) for at in looks]
    for number, (at, like, tokens, limit, abort_at) in enumerate(what, start=1):
        events.append((at, job(number, tokens, limit, like=like)))
        if abort_at is not None:
            events.append((at + abort_at, number))
    done: list[Done] = []
    for at, event in sorted(events, key=lambda event: event[0]):
        if isinstance(event, Job):
            sim.submit(event, at)
        elif event is not None:
            sim.abort([event], at)
        else:
            done += sim.advance(at)
            assert 0 <= sim.load.kv_used <= 1
            assert sim.load.running <= 3
    return done + run(sim)


@settings(max_examples=50)
@given(what=workloads)
def test_each_job_ends_once_with_what_it_may_generate(
    what: list[tuple[float, int, int, int, float | None]],
) -> None:
    done = {one.id: one for one in play(what, [])}
    longest = real.step_s(3, 160, 16, 16 * 160)
    assert sorted(done) == list(range(1, len(what) + 1))
    for number, (at, _, tokens, limit, abort_at) in enumerate(what, start=1):
        one = done[number]
        assert one.at_s > at
        assert one.generated == limit or (one.aborted and one.generated < limit)
        assert one.cached_tokens % 4 == 0 and one.cached_tokens < tokens
        if abort_at is not None:
            assert one.at_s <= at + abort_at + longest
        else:
            assert not one.aborted


@settings(max_examples=50)
@given(what=workloads, looks=st.lists(st.floats(0.0, 60.0), max_size=20))
def test_looking_changes_nothing(
    what: list[tuple[float, int, int, int, float | None]], looks: list[float]
) -> None:
    assert play(what, sorted(looks)) == play(what, [])
