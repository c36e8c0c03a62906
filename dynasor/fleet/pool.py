"""Replicas that are alike, by how many runs they have."""

from __future__ import annotations

from collections.abc import Iterator

from dynasor.fleet.pace import Pace
from dynasor.fleet.replica import Replica


class Pool:
    """Replicas with the same services and block size. Sets of replicas are bits, one per seat.

    Attributes:
        members: all of them.
        free: those with a free slot.
        spare: those whose slots are taken, and which may have one more to hide the dispatch delay.
        slots: of all of them.
        free_slots: those of them that no run has.
        pace: of the sequences of one of them.
    """

    __slots__ = (
        "_levels",
        "_used",
        "block_size",
        "free",
        "free_slots",
        "members",
        "pace",
        "services",
        "slots",
        "spare",
    )

    def __init__(self, services: tuple[str, ...], block_size: int) -> None:
        self.services = services
        self.block_size = block_size
        self.members = self.free = self.spare = self.slots = self.free_slots = 0
        self.pace = Pace()
        # Which replicas have so many runs, and of which numbers of runs there are any.
        self._levels: list[int] = []
        self._used = 0

    @property
    def has_room(self) -> bool:
        return self.free != 0 or self.spare != 0

    @property
    def idle_slots(self) -> float:
        """Free slots, each counted as far as what is generated there is taken from no other."""
        if not self.free_slots:
            return 0.0
        return self.free_slots * self.pace.free(
            (self.slots - self.free_slots) / self.members.bit_count()
        )

    def join(self, replica: Replica) -> None:
        self.members |= 1 << replica.seat
        self.slots += replica.info.slots
        self._enter(replica)

    def leave(self, replica: Replica) -> None:
        bit = 1 << replica.seat
        self._exit(replica, len(replica.runs))
        self.members &= ~bit
        self.slots -= replica.info.slots
        self.free &= ~bit
        self.spare &= ~bit

    def changed(self, replica: Replica, before: int) -> None:
        """The replica had ``before`` runs and has another number now."""
        self._exit(replica, before)
        self._enter(replica)

    def levels(self, among: int) -> Iterator[tuple[int, int]]:
        """Numbers of runs, rising, with the replicas of ``among`` that have so many."""
        rest = self._used
        while rest:
            lowest = rest & -rest
            rest ^= lowest
            load = lowest.bit_length() - 1
            here = self._levels[load] & among
            if here:
                yield load, here

    def fullest(self) -> int:
        """Those with the most runs."""
        return self._levels[self._used.bit_length() - 1] if self._used else 0

    def emptiest(self) -> int:
        """Those with a free slot and the fewest runs."""
        return next((here for _, here in self.levels(self.free)), 0)

    def _enter(self, replica: Replica) -> None:
        load, bit = len(replica.runs), 1 << replica.seat
        while load >= len(self._levels):
            self._levels.append(0)
        self._levels[load] |= bit
        self._used |= 1 << load
        slots = replica.info.slots
        if load < slots:
            self.free_slots += slots - load
            self.free |= bit
            self.spare &= ~bit
        else:
            self.free &= ~bit
            self.spare = self.spare | bit if load < replica.room else self.spare & ~bit

    def _exit(self, replica: Replica, load: int) -> None:
        slots = replica.info.slots
        if load < slots:
            self.free_slots -= slots - load
        rest = self._levels[load] & ~(1 << replica.seat)
        self._levels[load] = rest
        if not rest:
            self._used &= ~(1 << load)
