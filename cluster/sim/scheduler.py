"""What each step of a simulated engine computes: the rules of vLLM's (V1) scheduler.

Running sequences come first, in the order in which they began: each decodes a token, and a prompt
that was read in part goes on. Then those that wait are begun, first come, first served, while
there are slots, token budget and blocks for their whole prompt. If a running one can't get a
block, the last begun lose theirs and go back to the front of the queue, to be read again; such a
step begins nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from cluster.sim.batch import Batch
from cluster.sim.kv import KVCache
from cluster.sim.sequence import SimSequence


class Scheduler:
    """One engine's sequences, step by step; knows no time.

    Attributes:
        running: in the order in which they began, by id.
        waiting: sequences that wait.
        preempted: how often a sequence lost its blocks.
        prefill_tokens: that the step computes.
        attended: pairs of one of these and a token that it attends to.
        started: sequences that it begins.
    """

    def __init__(self, slots: int, max_num_batched_tokens: int, cache: KVCache) -> None:
        self.cache = cache
        self.batch = Batch(cache.block_size)
        self.running: dict[int, SimSequence] = {}
        self.waiting = 0
        self.preempted = 0
        self.firsts = 0
        self.prefill_tokens = 0
        self.attended = 0.0
        self.started = 0
        self._slots = slots
        self._max_tokens = max_num_batched_tokens
        self._queue: deque[SimSequence] = deque()
        self._prefills: list[SimSequence] = []
        self._partial: SimSequence | None = None
        self._budget = 0
        self._sealed = False
        self._begun = 0

    def add(self, sequence: SimSequence) -> None:
        """It waits."""
        self._queue.append(sequence)
        self.waiting += 1

    def begin_step(self) -> None:
        """Decide what the next step computes, and take the blocks for it."""
        self._prefills = []
        self.prefill_tokens, self.attended, self.started = 0, 0.0, 0
        self._budget = self._max_tokens - self.batch.count
        self._sealed = False
        needed = self.batch.new_blocks(self.batch.clock, 1)
        if self._partial is not None:
            needed += self._blocks_to_go_on(self._partial)
        if needed <= self.cache.free:
            self.cache.grow(needed)
            if self._partial is not None:
                self._read(self._partial)
        else:
            self._take_back()
            self._sealed = True
        self._partial = None
        self.admit()

    def admit(self) -> None:
        """Begin those that wait and fit into this step, after what is already in it."""
        size = self.cache.block_size
        while self.waiting and not self._sealed:
            sequence = self._queue[0]
            if sequence.ended:
                self._queue.popleft()
                continue
            if len(self.running) >= self._slots or not self._budget:
                return
            tokens = sequence.to_read()
            hit = self.cache.find(tokens, self.batch.clock)
            blocks = -(-len(tokens) // size) - hit.blocks
            if blocks + self.cache.resting(hit) > self.cache.free:
                return
            self._queue.popleft()
            self.waiting -= 1
            # The last token is always computed, for what comes after it.
            cached = min(hit.blocks, (len(tokens) - 1) // size) * size
            if sequence.cached_tokens is None:
                sequence.cached_tokens = cached
            sequence.target, sequence.computed = len(tokens), cached
            sequence.extent = self.cache.begin(hit, sequence)
            self._begun += 1
            self.started += 1
            sequence.order = self._begun
            self.running[sequence.job.id] = sequence
            self._read(sequence)
            self.cache.grow(-(-sequence.computed // size) - hit.blocks)

    @property
    def full(self) -> bool:
        """Nothing more can begin before something ends."""
        return len(self.running) >= self._slots

    def steps_alike(self) -> int:
        """How many steps from this one on compute the same, if nothing comes between; 0: none."""
        if not self.running:
            return 0
        if self._prefills or self._sealed:
            return 1
        batch, free = self.batch, self.cache.free
        steps = batch.next_due() - batch.clock
        # Each takes at most one block in as many steps as a block has tokens.
        if batch.count * (-(-(steps - 1) // self.cache.block_size)) > free:
            steps = 1 + batch.steps_within(free, steps - 1)
        return steps

    def end_steps(self, steps: int, aborted: Iterable[SimSequence]) -> list[SimSequence]:
        """So many alike steps are over.

        Args:
            aborted: that end with the last of them, without its token.

        Returns:
            Others that have ended, in order.
        """
        batch = self.batch
        self.cache.grow(batch.new_blocks(batch.clock + 1, steps - 1))
        batch.advance(steps)
        for sequence in aborted:
            self._abort(sequence)
        ended = batch.reached()
        for sequence in ended:
            self._end(sequence)
        for sequence in self._prefills:
            if sequence.ended:
                continue
            if sequence.computed < sequence.target:
                self._partial = sequence
                continue
            generated = sequence.made + 1 if sequence.limit else 0
            self.firsts += generated > 0
            if generated < sequence.limit:
                batch.add(sequence, generated)
            else:
                sequence.made = generated
                self._end(sequence)
                ended.append(sequence)
        return ended

    def blocks_held(self, steps: int) -> int:
        """Blocks that running sequences hold, when so many steps alike are over."""
        return self.cache.held + self.batch.new_blocks(self.batch.clock + 1, steps)

    def _read(self, sequence: SimSequence) -> None:
        """Compute as much of what it has to read as fits into the step."""
        tokens = min(sequence.target - sequence.computed, self._budget)
        self.attended += tokens * (sequence.computed + tokens / 2)
        self.prefill_tokens += tokens
        self._budget -= tokens
        sequence.computed += tokens
        self._prefills.append(sequence)

    def _blocks_to_go_on(self, sequence: SimSequence) -> int:
        size = self.cache.block_size
        tokens = min(sequence.target - sequence.computed, self._budget)
        return -(-(sequence.computed + tokens) // size) - (-(-sequence.computed // size))

    def _take_back(self) -> None:
        """Give the running ones their blocks, oldest first, at the cost of the youngest."""
        clock, size = self.batch.clock, self.cache.block_size
        for sequence in list(self.running.values()):
            if sequence.job.id not in self.running:
                return
            if sequence is self._partial:
                needed = self._blocks_to_go_on(sequence)
            else:
                needed = 1 if sequence.written(clock) % size == 1 % size else 0
            while needed > self.cache.free:
                victim = next(reversed(self.running.values()))
                self._preempt(victim)
                if victim is sequence:
                    return
            self.cache.grow(needed)
            if sequence is self._partial:
                self._read(sequence)

    def _preempt(self, sequence: SimSequence) -> None:
        self._leave(sequence)
        self._queue.appendleft(sequence)
        self.waiting += 1
        self.preempted += 1

    def _abort(self, sequence: SimSequence) -> None:
        if sequence.extent is None:
            self.waiting -= 1
            sequence.ended = True
            return
        decoded = sequence.origin is not None
        self._end(sequence)
        sequence.made -= decoded

    def _end(self, sequence: SimSequence) -> None:
        self._leave(sequence)
        sequence.ended = True

    def _leave(self, sequence: SimSequence) -> None:
        """It runs no more; its blocks are as the last step left them."""
        assert sequence.extent is not None
        del self.running[sequence.job.id]
        self.cache.end(sequence.extent, sequence.written(self.batch.clock - 1))
        sequence.extent = None
        if sequence.origin is not None:
            self.batch.remove(sequence)
