"""Which replicas have been silent for too long."""

from __future__ import annotations

import heapq

from dynasor.fleet.replica import Replica


class Liveness:
    """When replicas count as lost. A sign of life costs nothing here: times are looked at again
    only when they come up."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._watched: dict[int, Replica] = {}
        self._due: list[tuple[float, int]] = []
        self._joined = 0
        self._numbers: dict[str, int] = {}

    @property
    def expires_at(self) -> float | None:
        """When the first replica counts as lost if it stays silent; None: there is none."""
        while self._due:
            at, number = self._due[0]
            replica = self._watched.get(number)
            if replica is None:
                heapq.heappop(self._due)
                continue
            # Summed in one place: a tick at that time must find the replica expired.
            current = replica.heard_at + self._timeout_s
            if current == at:
                return at
            heapq.heapreplace(self._due, (current, number))
        return None

    def join(self, replica: Replica) -> None:
        self._joined += 1
        self._numbers[replica.id] = self._joined
        self._watched[self._joined] = replica
        heapq.heappush(self._due, (replica.heard_at + self._timeout_s, self._joined))

    def leave(self, replica: Replica) -> None:
        del self._watched[self._numbers.pop(replica.id)]

    def expired(self, now: float) -> list[str]:
        """Replicas that were silent for too long, in the order in which they attached."""
        found: list[tuple[float, int]] = []
        while (at := self.expires_at) is not None and at <= now:
            found.append(heapq.heappop(self._due))
        for entry in found:
            heapq.heappush(self._due, entry)
        return [self._watched[number].id for number in sorted(number for _, number in found)]
