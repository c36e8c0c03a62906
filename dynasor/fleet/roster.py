"""Who is there: replicas, their seats, what they offer, and when they were last heard of."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from dynasor.fleet.liveness import Liveness
from dynasor.fleet.pool import Pool
from dynasor.fleet.replica import Replica
from dynasor.messages import ReplicaInfo


class Roster:
    """Live replicas in pools of those that are alike.

    Attributes:
        replicas: by id.
        seats: by seat; None: it is free.
        pools: all there ever were.
    """

    def __init__(self, timeout_s: float) -> None:
        self.replicas: dict[str, Replica] = {}
        self.seats: list[Replica | None] = []
        self.pools: list[Pool] = []
        self.liveness = Liveness(timeout_s)
        self._free_seats: list[int] = []
        self._by_kind: dict[tuple[tuple[str, ...], int], Pool] = {}
        self._by_service: dict[str, list[Pool]] = {}

    def offering(self, service: str) -> Sequence[Pool]:
        """Pools whose replicas offer it."""
        return self._by_service.get(service, ())

    def has_room(self, service: str) -> bool:
        """Whether some replica that offers it may have one more run."""
        return any(pool.has_room for pool in self.offering(service))

    def free_slots(self, service: str) -> int:
        """Slots that are free at the replicas that offer it."""
        return sum(pool.free_slots for pool in self.offering(service))

    def idle(self, service: str) -> float:
        """Share of the compute that offers it and that nobody uses, in [0, 1]."""
        pools = self.offering(service)
        return sum(pool.idle_slots for pool in pools) / (sum(pool.slots for pool in pools) or 1)

    def serving(self, service: str) -> int:
        """Replicas that offer it."""
        return sum(pool.members.bit_count() for pool in self.offering(service))

    def join(self, replica_id: str, info: ReplicaInfo, now: float) -> Replica:
        """A replica that runs nothing takes a seat: the first that is free."""
        if self._free_seats:
            seat = heapq.heappop(self._free_seats)
        else:
            seat = len(self.seats)
            self.seats.append(None)
        replica = Replica(replica_id, info, now, seat, info.slots)
        replica.spell.at = now
        self.seats[seat] = self.replicas[replica_id] = replica
        self.pool(info).join(replica)
        self.liveness.join(replica)
        return replica

    def leave(self, replica_id: str) -> Replica | None:
        """A replica is gone; returns it, if it was there."""
        replica = self.replicas.pop(replica_id, None)
        if replica is None:
            return None
        self.liveness.leave(replica)
        self.pool(replica.info).leave(replica)
        self.seats[replica.seat] = None
        heapq.heappush(self._free_seats, replica.seat)
        return replica

    def pool(self, info: ReplicaInfo) -> Pool:
        """The pool of replicas like this."""
        kind = info.services, info.block_size
        pool = self._by_kind.get(kind)
        if pool is None:
            pool = self._by_kind[kind] = Pool(*kind)
            self.pools.append(pool)
            for service in dict.fromkeys(info.services):
                self._by_service.setdefault(service, []).append(pool)
        return pool
