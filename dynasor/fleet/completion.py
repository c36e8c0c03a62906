"""Placement by expected completion.

Cost = time to prefill what is not cached there + time the branch loses to, and takes from, the
sequences that run there already, over the tokens it is expected to generate. A replica with a free
slot is always before one whose slots are taken. Prefix affinity is a term of the cost, not a rule:
a replica with the prompt in its cache is left when another one is faster in total.

Replicas are not compared one by one. Equal loads differ only in what is cached, and equal chains in
the cache only in load; so it goes from the least load upwards, looks in each for those that hold
most, and ends where even the deepest prefix of all could not make up for the load.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf

from dynasor.fleet.admission import Admission
from dynasor.fleet.placement import Choice, Context, deepest
from dynasor.fleet.pool import Pool
from dynasor.fleet.prefix import Held
from dynasor.fleet.replica import Replica, Run
from dynasor.settings import PlacementSettings


class Completion:
    """Chooses the replica of least cost among those with room."""

    def __init__(self, settings: PlacementSettings, admission: Admission) -> None:
        self._settings = settings
        self._admission = admission

    def choose(
        self,
        run: Run,
        options: Sequence[tuple[Pool, Context]],
        seats: Sequence[Replica | None],
        homes: Iterable[Replica],
        now: float | None,
    ) -> Choice | None:
        """See `Placement`.

        Equal costs go to the replica with fewer runs, then to the one with the smaller seat, so
        that replays agree. After ``max_refusals`` replicas whose KV cache has no room, the only
        ones still asked are ``homes``, where the program's prompt is charged already.
        """
        search = _Search(self._settings, self._admission, run, seats, now)
        for pool, context in options:
            search.look(pool, context, pool.free)
        if search.best is None:
            for pool, context in options:
                search.look(pool, context, pool.spare)
        if search.best is None and search.refusals:
            search.ask(homes, options)
        if search.best is not None:
            run.fit(search.best.replica.info)  # the last one asked may have been another
        return search.best


class _Search:
    """The best replica for a run, so far."""

    __slots__ = (
        "_admission",
        "_now",
        "_per_run",
        "_run",
        "_seats",
        "_settings",
        "best",
        "refusals",
    )

    def __init__(
        self,
        settings: PlacementSettings,
        admission: Admission,
        run: Run,
        seats: Sequence[Replica | None],
        now: float | None,
    ) -> None:
        self._settings, self._admission = settings, admission
        self._run, self._seats, self._now = run, seats, now
        # A run that generates nothing still waits for its turn among the others.
        tokens = run.mean if run.estimated and run.most != 0 else settings.expected_tokens
        self._per_run = settings.decode_s_per_sequence * tokens
        self.best: Choice | None = None
        self.refusals = 0

    def look(self, pool: Pool, context: Context, among: int) -> None:
        """Look for a better one in the pool; it has to be of ``among``."""
        if not among:
            return
        prefill = self._settings.prefill_s_per_token
        per_block, everything = pool.block_size * prefill, context.tokens * prefill
        floor = everything - deepest(context.path, among)[0] * per_block
        limit = inf if self.best is None else self.best.cost
        for load, here in pool.levels(among):
            running = load * self._per_run
            if running + floor >= limit or self.refusals >= self._settings.max_refusals:
                return
            found = self._of_equal_load(context.path, here, running + everything, per_block, limit)
            if found is not None:
                replica, cost, blocks = found
                self.best, limit = Choice(replica, pool, cost, blocks), cost

    def ask(self, replicas: Iterable[Replica], options: Sequence[tuple[Pool, Context]]) -> None:
        """Take the first of ``replicas`` with room."""
        for replica in replicas:
            if self._seats[replica.seat] is not replica:
                continue
            bit = 1 << replica.seat
            for pool, context in options:
                if (pool.free | pool.spare) & bit and self._admits(replica):
                    self.best = Choice(replica, pool, inf, deepest(context.path, bit)[0])
                    return

    def _of_equal_load(
        self, path: list[Held], here: int, uncached: float, per_block: float, limit: float
    ) -> tuple[Replica, float, int] | None:
        """Of replicas with the same load, the one that holds most and has room."""
        while here and self.refusals < self._settings.max_refusals:
            blocks, group = deepest(path, here)
            cost = uncached - blocks * per_block
            if cost >= limit:
                return None
            bit = group & -group
            replica = self._seats[bit.bit_length() - 1]
            assert replica is not None, "a pool's members have seats"
            if self._admits(replica):
                return replica, cost, blocks
            here ^= bit
            self.refusals += 1
        return None

    def _admits(self, replica: Replica) -> bool:
        self._run.fit(replica.info)
        return self._admission.admits(replica, self._run, self._now)
