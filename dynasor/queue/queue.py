"""The queue of one service: whose branches start next. Tenants share it, an order ranks programs.

Between tenants: start-time fair queueing (Goyal et al. 1996). A tenant's virtual time is the tokens
it was granted over its weight, and the tenant that is least far goes first. One that begins to wait
starts no earlier than the virtual time of whoever was first when tokens were last granted, so that
idleness earns no credit; and what was granted while nobody waited is no debt. Within a tenant: the
program with the smallest key.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from dynasor.queue.orders import Key

_HeapEntry = tuple[float, int, int, "_Waiting"]
_TenantEntry = tuple[float, int, "_Tenant"]


class _Waiting:
    """A program in the queue. Its entry is None while it is set aside."""

    __slots__ = ("branches", "entry", "id", "key", "parked", "tenant")

    def __init__(self, program_id: str, tenant: _Tenant, key: Key, branches: int) -> None:
        self.id = program_id
        self.tenant = tenant
        self.key = key
        self.branches = branches
        self.parked = False
        self.entry: _HeapEntry | None = None


class _Tenant:
    """Attributes: floor: virtual time at which it began to wait. active: programs not set aside.
    members: all its programs here."""

    __slots__ = ("active", "entry", "floor", "heap", "members", "name", "virtual", "weight")

    def __init__(self, name: str, weight: float, virtual: float) -> None:
        self.name = name
        self.weight = weight
        self.virtual = virtual
        self.floor = virtual
        self.heap: list[_HeapEntry] = []
        self.active = 0
        self.members = 0
        self.entry: _TenantEntry | None = None


class Queue:
    """Programs with branches that wait for one service. All verbs cost O(log n), amortized.

    Gangs: once a branch of a program has started, the program stays at the head until as many have
    as waited then, whatever happens to keys and shares meanwhile. What waits beyond them queues
    again: nobody holds the head for ever. Who is set aside (`skip`, `park`) gives the head up, and
    a tenant all of whose programs are set aside does not wait.

    Bounds: of two tenants that wait all the time, what was granted over the weight differs by no
    more than one wave of each over its weight, as long as nothing is charged but waves. A tenant
    that begins to wait goes next after at most one wave of every other; if it is ahead by d units
    of virtual time, after at most d times the other's weight in tokens, and one wave, of every
    other. Within a tenant the order gives the bound (`Order.overtaken_within_s`).
    """

    def __init__(self, weight: Callable[[str], float]) -> None:
        """``weight``: of a tenant by its name, above 0."""
        self._weight = weight
        self._programs: dict[str, _Waiting] = {}
        self._tenants: dict[str, _Tenant] = {}
        self._waiting_tenants: list[_TenantEntry] = []
        self._entries = 0
        self._now = 0.0
        self._furthest = 0.0
        self._sweep_at = 64
        self._skipped: list[_Waiting] = []
        self._held: _Waiting | None = None
        self._wave = 0

    def __len__(self) -> int:
        """Programs that wait, those set aside included."""
        return len(self._programs)

    def __contains__(self, program_id: str) -> bool:
        return program_id in self._programs

    def put(self, program_id: str, tenant: str, key: Key, branches: int = 1) -> None:
        """So many branches of a program wait, and this is its place; 0: it leaves.

        A program that is here already keeps its tenant, and stays set aside if it is.
        """
        if branches <= 0:
            self.remove(program_id)
            return
        waiting = self._programs.get(program_id)
        if waiting is None:
            there = self._tenants.get(tenant) or self._new_tenant(tenant)
            waiting = self._programs[program_id] = _Waiting(program_id, there, key, branches)
            there.members += 1
            self._enter(waiting)
            return
        waiting.branches = branches
        if self._held is waiting:
            self._wave = min(self._wave, branches)
        if waiting.key != key:
            waiting.key = key
            if waiting.entry is not None:
                self._push(waiting)

    def remove(self, program_id: str) -> None:
        """Nothing of it waits any longer; unknown ones are fine."""
        waiting = self._programs.pop(program_id, None)
        if waiting is not None:
            self._set_aside(waiting)
            waiting.tenant.members -= 1

    def head(self) -> str | None:
        """Who goes next; None: nobody, or all are set aside."""
        if self._held is not None:
            return self._held.id
        tenant = self._first_tenant()
        if tenant is None:
            return None
        heap = tenant.heap
        while heap[0][3].entry is not heap[0]:
            heapq.heappop(heap)
        return heap[0][3].id

    def take(self, program_id: str, tokens: float) -> None:
        """A branch of it starts, and its tenant is granted the tokens of its lease."""
        waiting = self._programs[program_id]
        if self._held is not waiting:
            self._held, self._wave = waiting, waiting.branches
        self._wave -= 1
        waiting.branches -= 1
        self._charge(waiting.tenant, tokens)
        if not waiting.branches:
            self.remove(program_id)
        elif not self._wave:
            self._held = None

    def charge(self, tenant: str, tokens: float) -> None:
        """Grant a tenant tokens beyond the first lease of a branch; negative: it gives some back.

        What it gives back takes it no further than to where it began to wait.
        """
        there = self._tenants.get(tenant)
        if there is not None or tokens > 0:
            self._charge(there or self._new_tenant(tenant), tokens)

    def skip(self, program_id: str) -> None:
        """Let others go first until `restart`: its own limits hold it back, not lack of room."""
        waiting = self._programs[program_id]
        self._set_aside(waiting)
        self._skipped.append(waiting)

    def restart(self) -> None:
        """A new pass begins: who was skipped queues again."""
        skipped, self._skipped = self._skipped, []
        for waiting in skipped:
            here = self._programs.get(waiting.id) is waiting
            if here and not waiting.parked and waiting.entry is None:
                self._enter(waiting)

    def park(self, program_id: str) -> None:
        """Set it aside until `unpark`."""
        waiting = self._programs[program_id]
        waiting.parked = True
        self._set_aside(waiting)

    def unpark(self, program_id: str) -> None:
        """It queues again by its key; fine for one that is not here, or not parked."""
        waiting = self._programs.get(program_id)
        if waiting is not None and waiting.parked:
            waiting.parked = False
            self._enter(waiting)

    def _enter(self, waiting: _Waiting) -> None:
        tenant = waiting.tenant
        if not tenant.active:
            tenant.virtual = tenant.floor = max(tenant.virtual, self._now)
            self._rank(tenant)
        tenant.active += 1
        self._push(waiting)

    def _push(self, waiting: _Waiting) -> None:
        """Add an entry; the one before, if any, is stale from now on."""
        tenant, key = waiting.tenant, waiting.key
        self._entries += 1
        waiting.entry = (key[0], key[1], self._entries, waiting)
        heapq.heappush(tenant.heap, waiting.entry)
        if len(tenant.heap) > 64 + 2 * tenant.active:
            tenant.heap = [entry for entry in tenant.heap if entry[3].entry is entry]
            heapq.heapify(tenant.heap)

    def _set_aside(self, waiting: _Waiting) -> None:
        if self._held is waiting:
            self._held = None
        if waiting.entry is None:
            return
        waiting.entry = None
        waiting.tenant.active -= 1
        if not waiting.tenant.active:
            waiting.tenant.entry = None
            waiting.tenant.heap.clear()

    def _first_tenant(self) -> _Tenant | None:
        ranks = self._waiting_tenants
        while ranks:
            entry = ranks[0]
            tenant = entry[2]
            if tenant.entry is not entry:
                heapq.heappop(ranks)
            elif tenant.virtual > entry[0]:
                heapq.heappop(ranks)
                self._rank(tenant)
            else:
                return tenant
        return None

    def _rank(self, tenant: _Tenant) -> None:
        """Tenants equally far go in the order in which they came there."""
        self._entries += 1
        tenant.entry = (tenant.virtual, self._entries, tenant)
        heapq.heappush(self._waiting_tenants, tenant.entry)
        if len(self._waiting_tenants) > 64 + 2 * len(self._tenants):
            valid = [entry for entry in self._waiting_tenants if entry[2].entry is entry]
            self._waiting_tenants = valid
            heapq.heapify(valid)

    def _charge(self, tenant: _Tenant, tokens: float) -> None:
        if tokens < 0:
            tenant.virtual += tokens / tenant.weight
            if tenant.active:
                tenant.virtual = max(tenant.virtual, tenant.floor)
                self._rank(tenant)
            return
        first = self._first_tenant()
        if first is not None:
            self._now = max(self._now, first.virtual)
        if not tenant.active:
            tenant.virtual = max(tenant.virtual, self._now)
        tenant.virtual += tokens / tenant.weight
        self._furthest = max(self._furthest, tenant.virtual)
        if first is None:
            self._now = self._furthest

    def _new_tenant(self, name: str) -> _Tenant:
        """Forgets those of whom nothing waits and who owe nothing: they would start anew."""
        if len(self._tenants) >= self._sweep_at:
            if self._first_tenant() is None:
                self._now = self._furthest
            self._tenants = {
                key: there
                for key, there in self._tenants.items()
                if there.members or there.virtual > self._now
            }
            self._sweep_at = 64 + 2 * len(self._tenants)
        tenant = self._tenants[name] = _Tenant(name, self._weight(name), 0.0)
        return tenant
