"""Placement in turn, whatever is cached where and however much runs there: what a load balancer
without knowledge does. For comparison."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from math import inf

from dynasor.fleet.admission import Admission
from dynasor.fleet.placement import Choice, Context, deepest
from dynasor.fleet.pool import Pool
from dynasor.fleet.replica import Replica, Run
from dynasor.settings import PlacementSettings


class RoundRobin:
    """Takes the next replica by seat that has room, after the one taken last."""

    def __init__(self, settings: PlacementSettings, admission: Admission) -> None:
        self._max_refusals = settings.max_refusals
        self._admission = admission
        self._next = 0

    def choose(
        self,
        run: Run,
        options: Sequence[tuple[Pool, Context]],
        seats: Sequence[Replica | None],
        homes: Iterable[Replica],
        now: float | None,
    ) -> Choice | None:
        """See `Placement`. Replicas with a free slot come first; after ``max_refusals`` whose KV
        cache has no room the search is over."""
        free = spare = 0
        for pool, _ in options:
            free, spare = free | pool.free, spare | pool.spare
        turns = chain(self._in_turn(free), self._in_turn(spare))
        for seat in islice(turns, self._max_refusals):
            replica = seats[seat]
            assert replica is not None, "a pool's members have seats"
            run.fit(replica.info)
            if self._admission.admits(replica, run, now):
                self._next = seat + 1
                return _choice(replica, options)
        return None

    def _in_turn(self, among: int) -> Iterator[int]:
        """Seats of the set, each once, from the next one on."""
        later = among >> self._next << self._next
        return chain(_seats(later), _seats(among ^ later))


def _seats(among: int) -> Iterator[int]:
    while among:
        bit = among & -among
        among ^= bit
        yield bit.bit_length() - 1


def _choice(replica: Replica, options: Sequence[tuple[Pool, Context]]) -> Choice:
    bit = 1 << replica.seat
    pool, context = next(option for option in options if option[0].members & bit)
    return Choice(replica, pool, inf, deepest(context.path, bit)[0])
