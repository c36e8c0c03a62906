"""What replicas' prefix caches hold for a branch: expected, promised, and corrected by reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dynasor.branch import Branch
from dynasor.fleet.placement import Choice, Context, deepest
from dynasor.fleet.pool import Pool
from dynasor.fleet.prefix import PrefixIndex
from dynasor.fleet.replica import Replica, Run
from dynasor.messages import ReplicaInfo
from dynasor.program import Program


@dataclass(slots=True)
class Routing:
    """How much of the contexts placed so far was probably cached where they went.

    Attributes:
        placements: how many there were.
        context_tokens: of all of them.
        best_tokens: held by the replica that held most, free or not.
        achieved_tokens: held by the replica chosen.
    """

    placements: int = 0
    context_tokens: int = 0
    best_tokens: int = 0
    achieved_tokens: int = 0


class Caches:
    """The prefix index, as placement and reports use it."""

    def __init__(self, most_blocks: int) -> None:
        self.routing = Routing()
        self._most_blocks = most_blocks
        self._prefixes = PrefixIndex()

    def join(self, seat: int, info: ReplicaInfo) -> None:
        """A replica with an empty cache takes the seat."""
        blocks = max(1, info.kv_tokens // info.block_size)
        self._prefixes.join(seat, min(self._most_blocks, blocks))

    def leave(self, seat: int) -> None:
        self._prefixes.leave(seat)

    def context(self, program: Program, branch: Branch, pool: Pool) -> Context:
        """What the branch goes on from, and who in the pool holds it."""
        hashes = program.blocks(branch, pool.block_size)
        return Context(_length(program, branch), hashes, self._prefixes.match(hashes))

    def expect(self, program: Program, branch: Branch, where: Replica) -> None:
        """What the branch goes on from was computed here before, and is most likely cached yet;
        all but its last token, and what is injected for it now."""
        computed = _length(program, branch) - 1 - (0 if branch.tokens else branch.injected)
        size = where.info.block_size
        blocks = program.blocks(branch, size)[: max(0, computed // size)]
        self._prefixes.add(where.seat, blocks)

    def count(self, options: Sequence[tuple[Pool, Context]], choice: Choice) -> None:
        """Count a placement."""
        held = [
            deepest(context.path, pool.members)[0] * pool.block_size for pool, context in options
        ]
        self.routing.placements += 1
        self.routing.context_tokens += options[0][1].tokens
        self.routing.best_tokens += max(held)
        self.routing.achieved_tokens += choice.blocks * choice.pool.block_size

    def begin(self, run: Run, replica: Replica, known: Context, context: Context) -> None:
        """The run comes to the replica, which computes what it lacks of the context. To be called
        before the run is there.

        Args:
            known: as `context` was before `expect`: what is merely expected is no promise.
        """
        self._promise(run, replica, known)
        last = context.path[-1].node if context.path else None
        used = replica.forecast.shares(run.program) and last is not None
        if used and last and last.end == len(context.hashes) and replica.seat in last.used:
            run.leaf = last  # as a sibling runs on it, it is in use already
        else:
            run.leaf = self._prefixes.add(replica.seat, context.hashes, context.path)
        replica.unread[run.id] = self._prefixes.clock

    def found(self, run: Run, replica: Replica, tokens: int) -> None:
        """The engine had so many tokens of the run's context cached; now it has all."""
        replica.unread.pop(run.id, None)
        if tokens < run.promised:
            self._prefixes.evicted(replica.seat, run.stamp)
        run.promised = 0

    def end(self, run: Run, replica: Replica) -> None:
        """The run has left the replica: if it was its program's last one there, its blocks were in
        use until now."""
        if run.leaf is not None and not replica.forecast.shares(run.program):
            self._prefixes.touch(replica.seat, run.leaf)

    def _promise(self, run: Run, replica: Replica, context: Context) -> None:
        """Note what the replica should find: only what all runs there have computed by now."""
        settled = next(iter(replica.unread.values()), None)
        for depth, node in reversed(context.path):
            used = node.used.get(replica.seat)
            if used is not None:
                if settled is None or used < settled:
                    # An engine always computes the last token.
                    whole = (context.tokens - 1) // replica.info.block_size
                    run.promised = min(depth, whole) * replica.info.block_size
                    run.stamp = used
                return


def _length(program: Program, branch: Branch) -> int:
    return len(program.prompt) + len(branch.prefix) + len(branch.tokens)
