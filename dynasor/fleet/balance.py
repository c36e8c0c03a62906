"""Balancing: which running branches move from the replica with most runs to the one with fewest.

A branch that moves generates what it has left beside fewer others; for that, its context has to be
computed anew where it goes, as far as it is not cached there, and commands have to travel. It moves
only if the first is more than the second by a margin. That is the cost by which placement chooses,
so that what was stopped here is not sent back.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from math import inf

from dynasor.fleet.pool import Pool
from dynasor.fleet.replica import Replica, Run
from dynasor.settings import PlacementSettings


class Balancer:
    """Chooses moves, now and then; `Fleet.moves` says when to ask."""

    def __init__(self, settings: PlacementSettings) -> None:
        self._settings = settings
        self._knobs = settings.balance
        self._looked_at = -inf

    def due(self, now: float) -> bool:
        """Whether it is time to look again; if so, that time begins anew."""
        if now - self._looked_at < self._knobs.period_s:
            return False
        self._looked_at = now
        return True

    def moves(self, pool: Pool, seats: Sequence[Replica | None], now: float) -> list[Run]:
        """Runs to stop so that they can go on elsewhere.

        Looks at one of the fullest replicas and one of the emptiest, and there at the runs with
        most left.
        """
        hot, cold = _first(pool.fullest(), seats), _first(pool.emptiest(), seats)
        if hot is None or cold is None or hot is cold:
            return []
        found: list[Run] = []
        most, fewest = len(hot.runs), len(cold.runs)
        for number, own, left in islice(hot.forecast.longest(hot.steps), self._knobs.looked_at):
            if len(found) >= self._knobs.max_moves or most < self._knobs.ratio * max(1, fewest):
                break
            run = hot.runs[number]
            if self._may_move(run, now) and self.gain_s(run, own, left, most, fewest, cold) > 0:
                found.append(run)
                most, fewest = most - 1, fewest + 1
        return found

    def gain_s(
        self, run: Run, own: int, left: float, most: int, fewest: int, cold: Replica
    ) -> float:
        """Seconds by which a run ends earlier if it moves, less what that costs and a margin.

        Args:
            own: tokens beyond the prompt that it holds.
            left: tokens it is expected to generate yet.
            most: runs where it is, with itself; ``fewest``: at ``cold`` without it.
        """
        fewer = most - 1 - fewest
        saved = left * self._settings.decode_s_per_sequence * fewer
        uncached = max(0, run.prompt + own - _cached(run, cold))
        cost = uncached * self._settings.prefill_s_per_token
        cost += self._settings.admission.dispatch_delay_s
        return saved - cost * (1 + self._knobs.margin)

    def _may_move(self, run: Run, now: float) -> bool:
        settled = run.placed_at is not None and now - run.placed_at >= self._knobs.stay_s
        return settled and not run.stopping


def _cached(run: Run, replica: Replica) -> int:
    """Tokens of the run's context that the replica is taken to hold."""
    node, bit = run.leaf, 1 << replica.seat
    while node is not None and not node.holders & bit:
        node = node.parent
    return node.end * replica.info.block_size if node is not None else 0


def _first(among: int, seats: Sequence[Replica | None]) -> Replica | None:
    return seats[(among & -among).bit_length() - 1] if among else None
