"""An engine that does every step one by one and keeps every block by itself: slow, plainly right.

It follows the rules of vLLM's scheduler in the order in which they are written there. One is not
vLLM's: a block that is computed although it is cached is stored once.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from cluster.sim.job import Done, Job
from cluster.sim.profile import StepCost
from dynasor.messages import Load, ReplicaInfo


@dataclass(eq=False)
class Block:
    """One block of the cache; its content is all that lies before and in it."""

    users: int = 0
    content: tuple[int, ...] | None = None


@dataclass(eq=False)
class Request:
    """A job, and what is in the cache of it."""

    job: Job
    limit: int
    generated: int = 0
    computed: int = 0
    blocks: list[Block] = field(default_factory=list)
    cached: int | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.job.context + tuple(self.job.writes[: self.generated])


class Blocks:
    """All blocks: held ones, and cached ones that nobody holds, the longest unused first."""

    def __init__(self, total: int, size: int) -> None:
        self.total = total
        self.size = size
        self.held = 0
        self.by_content: dict[tuple[int, ...], Block] = {}
        self.unused: OrderedDict[Block, None] = OrderedDict()

    def find(self, tokens: tuple[int, ...]) -> list[Block]:
        found = []
        for end in range(self.size, len(tokens) + 1, self.size):
            block = self.by_content.get(tokens[:end])
            if block is None:
                break
            found.append(block)
        return found

    def hold(self, block: Block) -> None:
        if not block.users:
            self.unused.pop(block, None)
            self.held += 1
        block.users += 1

    def new(self) -> Block:
        assert self.held < self.total
        if self.held + len(self.unused) == self.total:
            oldest, _ = self.unused.popitem(last=False)
            assert oldest.content is not None
            del self.by_content[oldest.content]
        block = Block()
        self.hold(block)
        return block

    def drop(self, request: Request) -> None:
        for block in reversed(request.blocks):
            block.users -= 1
            if not block.users:
                self.held -= 1
                if block.content is not None:
                    self.unused[block] = None
        request.blocks = []

    def extend(self, request: Request, computed: int) -> None:
        """Make room for so many tokens, and have the full blocks found from now on."""
        while len(request.blocks) * self.size < computed:
            request.blocks.append(self.new())
        request.computed = computed
        for place in range(computed // self.size):
            block = request.blocks[place]
            if block.content is None:
                block.content = request.tokens[: (place + 1) * self.size]
                assert block.content not in self.by_content
                self.by_content[block.content] = block

    def needed(self, request: Request, computed: int) -> int:
        return max(-(-computed // self.size) - len(request.blocks), 0)

    @property
    def free(self) -> int:
        return self.total - self.held


class ReferenceEngine:
    """Does what `SimEngine` promises.

    A step that begins at the present stays open, so that it takes what still comes at this
    instant, until time goes on or `close` is called.
    """

    def __init__(self, info: ReplicaInfo, step: StepCost, max_num_batched_tokens: int) -> None:
        self.info = info
        self.step = step
        self.max_tokens = max_num_batched_tokens
        self.blocks = Blocks(info.kv_tokens // info.block_size, info.block_size)
        self.requests: dict[int, Request] = {}
        self.running: list[Request] = []
        self.waiting: deque[Request] = deque()
        self.reading: set[int] = set()
        self.aborted: list[int] = []
        self.done: list[Done] = []
        self.preempted = 0
        self.speed = 1.0
        self.at = 0.0
        self.end: float | None = None

    def submit(self, job: Job, now: float) -> None:
        self.run(now)
        self.requests[job.id] = Request(job, job.limit)
        self.waiting.append(self.requests[job.id])

    def set_limit(self, job_id: int, limit: int, now: float) -> None:
        self.run(now)
        if job_id in self.requests:
            request = self.requests[job_id]
            request.limit = max(limit, request.generated + 1)

    def abort(self, job_ids: Iterable[int], now: float) -> None:
        self.run(now)
        for job_id in job_ids:
            if job_id in self.requests and job_id not in self.aborted:
                self.aborted.append(job_id)

    def set_speed(self, factor: float, now: float) -> None:
        self.run(now)
        if self.end is not None:
            self.end = now + (self.end - now) * factor / self.speed
        self.speed = factor

    def advance(self, now: float) -> list[Done]:
        self.run(now)
        done, self.done = self.done, []
        return done

    def generated(self, job_id: int) -> int:
        return self.requests[job_id].generated

    @property
    def load(self) -> Load:
        return Load(
            kv_used=self.blocks.held / self.blocks.total,
            waiting=len(self.waiting),
            running=len(self.running),
            preempted=self.preempted,
        )

    def run(self, now: float) -> None:
        while True:
            if self.end is None:
                if self.at == now or not (self.running or self.waiting):
                    break
                self.close()
            if self.end is None or self.end > now:
                break
            self.at = self.end
            self.end_step()
        if self.end is None:
            self.at = now

    def close(self) -> None:
        """The step that begins now takes nothing more."""
        if self.end is not None or not (self.running or self.waiting):
            return
        cost = self.schedule()
        self.end = self.at + self.speed * cost

    def schedule(self) -> float:
        """Decide what the step computes; its time at full speed."""
        budget = self.max_tokens
        decoding = context = prefill = 0
        attended = 0.0
        preempting = False
        place = 0
        while place < len(self.running) and budget:
            request = self.running[place]
            tokens = min(len(request.tokens) - request.computed, budget)
            target = request.computed + tokens
            while self.blocks.needed(request, target) > self.blocks.free:
                preempting = True
                victim = self.running.pop()
                self.blocks.drop(victim)
                self.reading.discard(victim.job.id)
                victim.computed = 0
                self.waiting.appendleft(victim)
                self.preempted += 1
                if victim is request:
                    break
            else:
                if request.job.id not in self.reading:
                    decoding += 1
                    context += len(request.tokens)
                else:
                    prefill += tokens
                    attended += tokens * (request.computed + tokens / 2)
                self.blocks.extend(request, target)
                budget -= tokens
                place += 1
                continue
            break
        started = 0
        while self.waiting and not preempting and budget:
            if len(self.running) == self.info.slots:
                break
            request = self.waiting[0]
            size = self.blocks.size
            found = self.blocks.find(request.tokens)
            cached = min(len(found), (len(request.tokens) - 1) // size) * size
            whole = -(-len(request.tokens) // size) - len(found)
            if whole + sum(not block.users for block in found) > self.blocks.free:
                break
            self.waiting.popleft()
            self.running.append(request)
            started += 1
            self.reading.add(request.job.id)
            for block in found:
                self.blocks.hold(block)
            request.blocks = found
            if request.cached is None:
                request.cached = cached
            tokens = min(len(request.tokens) - cached, budget)
            prefill += tokens
            attended += tokens * (cached + tokens / 2)
            self.blocks.extend(request, cached + tokens)
            budget -= tokens
        return self.step.step_s(decoding, context, prefill, attended, started)

    def end_step(self) -> None:
        """Each that has read everything has its next token; some have ended."""
        self.end = None
        for job_id in self.aborted:
            self.finish(self.requests[job_id], aborted=True)
        self.aborted = []
        for request in list(self.running):
            if request.computed < len(request.tokens):
                continue
            self.reading.discard(request.job.id)
            if request.limit:
                request.generated += 1
            if request.generated >= request.limit:
                self.finish(request, aborted=False)

    def finish(self, request: Request, *, aborted: bool) -> None:
        if request in self.running:
            self.running.remove(request)
        else:
            self.waiting.remove(request)
        self.reading.discard(request.job.id)
        self.blocks.drop(request)
        del self.requests[request.job.id]
        done = Done(request.job.id, self.at, request.generated, request.cached or 0, aborted)
        self.done.append(done)
