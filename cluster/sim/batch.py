"""The sequences that generate a token in each step, and what so many steps bring."""

from __future__ import annotations

from heapq import heapify, heappop, heappush

from cluster.sim.sequence import SimSequence


class Batch:
    """Decoding sequences of one engine, together: nothing is done per sequence and step.

    Attributes:
        clock: steps of the engine that are over.
        count: sequences that decode.
        context_tokens: of all of them, those generated so far included.
        decoded: tokens that all steps so far have brought.
    """

    def __init__(self, block_size: int) -> None:
        self.clock = 0
        self.count = 0
        self.context_tokens = 0
        self.decoded = 0
        # How many begin a new block in a step, by its clock modulo the size of a block.
        self._fresh = [0] * block_size
        self._due: list[tuple[int, int, SimSequence]] = []

    def add(self, sequence: SimSequence, generated: int) -> None:
        """It has read what it had to and generated so many tokens; from now on it decodes."""
        sequence.origin = self.clock - generated
        self._count(sequence, 1)
        self.set_due(sequence)

    def remove(self, sequence: SimSequence) -> None:
        """It decodes no more."""
        self._count(sequence, -1)
        sequence.made = sequence.generated(self.clock)
        sequence.origin = sequence.due = None

    def set_due(self, sequence: SimSequence) -> None:
        """Its limit is another one."""
        assert sequence.origin is not None
        sequence.due = sequence.origin + sequence.limit
        # Entries of what is due at another clock by now are passed over when they are met.
        if len(self._due) > 4 * self.count + 64:
            self._due = [entry for entry in self._due if entry[2].due == entry[0]]
            heapify(self._due)
        heappush(self._due, (sequence.due, sequence.order, sequence))

    def next_due(self) -> int:
        """The clock at which the next one ends; there is one."""
        while self._due[0][2].due != self._due[0][0]:
            heappop(self._due)
        return self._due[0][0]

    def reached(self) -> list[SimSequence]:
        """Those that have as many tokens as they may, in the engine's order; given once."""
        reached = []
        while self._due and self._due[0][0] <= self.clock:
            clock, _, sequence = heappop(self._due)
            if sequence.due == clock:
                sequence.due = None
                reached.append(sequence)
        return reached

    def advance(self, steps: int) -> None:
        """So many steps are over."""
        self.clock += steps
        self.context_tokens += steps * self.count
        self.decoded += steps * self.count

    def new_blocks(self, first: int, steps: int) -> int:
        """KV blocks that they take in so many steps from a clock on."""
        fresh = self._fresh
        rounds, rest = divmod(steps, len(fresh))
        start = first % len(fresh)
        stop = start + rest
        part = sum(fresh[start:stop]) + sum(fresh[: max(stop - len(fresh), 0)])
        return rounds * self.count + part

    def steps_within(self, blocks: int, most: int) -> int:
        """How many steps after the running one they can do with so many new blocks.

        Args:
            most: no more are asked for.
        """
        fresh = self._fresh
        rounds, left = divmod(blocks, self.count)
        steps = rounds * len(fresh)
        if steps >= most:
            return most
        clock = self.clock + 1
        while (left := left - fresh[(clock + steps) % len(fresh)]) >= 0:
            steps += 1
        return min(steps, most)

    def _count(self, sequence: SimSequence, sign: int) -> None:
        assert sequence.origin is not None
        size = len(sequence.context)
        self.count += sign
        self.context_tokens += sign * (size + self.clock - sequence.origin)
        # The step at clock c writes the token at position size + c - origin - 1.
        self._fresh[(sequence.origin - size + 1) % len(self._fresh)] += sign
