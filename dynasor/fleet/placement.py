"""Placement: which replica a branch runs on. `dynasor.fleet.placements` lists those that exist."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from dynasor.fleet.pool import Pool
from dynasor.fleet.prefix import Held
from dynasor.fleet.replica import Replica, Run


class Context(NamedTuple):
    """What a branch goes on from, as replicas of one block size cache it."""

    tokens: int
    hashes: tuple[int, ...]
    path: list[Held]


class Choice(NamedTuple):
    """Where a run goes, and what it finds there."""

    replica: Replica
    pool: Pool
    cost: float
    blocks: int


class Placement(Protocol):
    """Chooses replicas. It begins nothing: the fleet does, with what was chosen."""

    def choose(
        self,
        run: Run,
        options: Sequence[tuple[Pool, Context]],
        seats: Sequence[Replica | None],
        homes: Iterable[Replica],
        now: float | None,
    ) -> Choice | None:
        """The replica for ``run``, which is fitted to it; None: no room found.

        Args:
            options: pools that offer what it needs, with its context as they cache it.
            seats: replicas by seat.
            homes: replicas that its program has been to.
            now: None: no time is known, and no rates are measured.
        """


def deepest(path: list[Held], among: int) -> tuple[int, int]:
    """Most blocks that any replica of ``among`` holds, and those that hold them."""
    for depth, node in reversed(path):
        there = among & node.holders
        if there:
            return depth, there
    return 0, among
