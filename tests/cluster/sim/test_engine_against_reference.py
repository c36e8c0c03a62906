"""The engine that jumps says what one says that does every step and keeps every block."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.sim.engine import Done, Job, SimEngine
from cluster.sim.profile import StepCost
from dynasor.messages import ReplicaInfo
from tests.cluster.sim.engines import PROFILE
from tests.cluster.sim.reference_engine import ReferenceEngine

# Costs, speeds and times are sums of few powers of two, so that both compute the same numbers.
TICK = 2.0**-6

costs = st.builds(
    StepCost,
    base_s=st.sampled_from([4 * TICK, TICK, TICK / 4]),
    per_sequence_s=st.sampled_from([0.0, TICK / 4, TICK / 16]),
    per_context_token_s=st.sampled_from([0.0, TICK / 64, TICK / 256]),
    per_prefill_token_s=st.sampled_from([0.0, TICK / 8]),
    per_attention_s=st.sampled_from([0.0, TICK / 256]),
    per_start_s=st.sampled_from([0.0, TICK / 2]),
)


@dataclass(frozen=True)
class Begin:
    """A new prompt: a common beginning, and some tokens of its own."""

    common: int
    own: int
    limit: int


@dataclass(frozen=True)
class Follow:
    """Goes on from what a job has generated so far, perhaps after some injected tokens."""

    job: int
    injected: int
    limit: int


@dataclass(frozen=True)
class Limit:
    """A job may generate up to so many more than it has; or fewer."""

    job: int
    more: int


@dataclass(frozen=True)
class Abort:
    jobs: tuple[int, ...]


@dataclass(frozen=True)
class Speed:
    factor: float


Act = Begin | Follow | Limit | Abort | Speed
places = st.integers(0, 30)
limits = st.one_of(st.integers(0, 6), st.integers(1, 30))
acts = st.one_of(
    st.builds(Begin, common=st.integers(0, 12), own=st.integers(0, 9), limit=limits),
    st.builds(Begin, common=st.just(9), own=st.just(2), limit=limits),
    st.builds(Follow, job=places, injected=st.integers(0, 3), limit=limits),
    st.builds(Limit, job=places, more=st.integers(-2, 12)),
    st.builds(Abort, jobs=st.lists(places, min_size=1, max_size=3).map(tuple)),
    st.builds(Speed, factor=st.sampled_from([0.5, 1.0, 2.0])),
)
# Time goes on by so much, or to the next end, and then something happens.
moments = st.lists(
    st.tuples(
        st.one_of(st.none(), st.integers(1, 64).map(lambda ticks: ticks * TICK)),
        st.lists(acts, max_size=5),
    ),
    min_size=5,
    max_size=30,
)


class Pair:
    """Both engines, given the same."""

    def __init__(self, info: ReplicaInfo, cost: StepCost, batched: int) -> None:
        self.fast = SimEngine(info, PROFILE, cost, batched)
        self.slow = ReferenceEngine(info, cost, batched)
        self.most = min(info.kv_tokens // info.block_size * info.block_size, info.max_model_len)
        self.jobs: list[Job] = []
        self.live: set[int] = set()
        self.have: dict[int, int] = {}
        self.dones: list[Done] = []

    def act(self, act: Act, now: float) -> None:
        match act:
            case Begin(common, own, limit):
                unlike = 100 + 10 * len(self.jobs)
                self.submit((*range(common), *range(unlike, unlike + own)), limit, now)
            case Follow(place, injected, limit) if self.jobs:
                job = self.jobs[place % len(self.jobs)]
                written = tuple(job.writes[: self.have[job.id]])
                self.submit((*job.context, *written, *(7 for _ in range(injected))), limit, now)
            case Limit(place, more) if self.jobs:
                job = self.jobs[place % len(self.jobs)]
                limit = self.have[job.id] + more
                if job.limit and len(job.context) + limit <= self.most:
                    self.fast.set_limit(job.id, limit, now)
                    self.slow.set_limit(job.id, limit, now)
            case Abort(jobs) if self.jobs:
                ids = [self.jobs[place % len(self.jobs)].id for place in jobs]
                self.fast.abort(ids, now)
                self.slow.abort(ids, now)
            case Speed(factor):
                self.fast.set_speed(factor, now)
                self.slow.set_speed(factor, now)

    def submit(self, context: tuple[int, ...], limit: int, now: float) -> None:
        context = context[: self.most - 1] or (0,)
        number = len(self.jobs) + 1
        limit = min(limit, self.most - len(context))
        job = Job(number, context, limit, range(number * 1000, (number + 1) * 1000))
        self.jobs.append(job)
        self.live.add(number)
        self.have[number] = 0
        self.fast.submit(job, now)
        self.slow.submit(job, now)

    def advance(self, now: float) -> None:
        dones = self.fast.advance(now)
        assert dones == self.slow.advance(now)
        self.dones += dones
        for done in dones:
            self.live.remove(done.id)
            self.have[done.id] = done.generated
        for job in self.live:
            self.have[job] = self.fast.generated(job)
            assert self.have[job] == self.slow.generated(job)

    def check_load(self) -> None:
        self.slow.close()
        assert self.fast.load == self.slow.load
        assert 0 <= self.fast.load.kv_used <= 1


@settings(max_examples=200, deadline=None)
@given(
    cost=costs,
    slots=st.integers(1, 6),
    block_size=st.integers(1, 5),
    blocks=st.integers(4, 40),
    batched=st.integers(6, 24),
    what=moments,
)
def test_same_ends_tokens_hits_and_preemptions(
    cost: StepCost,
    slots: int,
    block_size: int,
    blocks: int,
    batched: int,
    what: list[tuple[float | None, list[Act]]],
) -> None:
    info = ReplicaInfo(slots, blocks * block_size, block_size, max_model_len=60)
    pair, now = Pair(info, cost, batched), 0.0
    for wait, acts_then in what:
        if wait is not None:
            now += wait
        elif pair.fast.next_at is not None:
            now = pair.fast.next_at
        pair.advance(now)
        for act in acts_then:
            pair.act(act, now)
        if wait is not None:
            pair.check_load()
    while pair.fast.next_at is not None:
        now = pair.fast.next_at
        pair.advance(now)
    pair.advance(now + 1)
    pair.check_load()
    assert not pair.live
    assert pair.fast.load.kv_used == 0
