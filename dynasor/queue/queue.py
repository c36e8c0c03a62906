"""The queue of one service: whose branches start next. Tenants share it, an order ranks programs.

Between tenants: weighted fair queueing. A tenant's virtual time is the tokens it was granted over
its weight, and the tenant that is least far goes first (start-time fair queueing, Goyal et al.
1996). One that begins to wait starts no earlier than the queue's own virtual time, so that idleness
earns no credit; and what was granted while nobody waited is no debt. The queue's virtual time
advances with service, by tokens over the total weight that waits, and is never behind the first
tenant (WF2Q+, Bennett and Zhang 1997): were it only that of the first, tenants that are ever new
would keep all others from being served. Within a tenant: the program with the smallest key.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from dynasor.queue.orders import Key

_HeapEntry = tuple[float, int, int, "_Waiting"]
_TenantEntry = tuple[float, int, "_Tenant"]


class _Waiting:
    """A program in the queue. Entries of its tenant's heap other than its own are stale."""

    __slots__ = ("branches", "entry", "id", "key", "tenant")

    def __init__(self, program_id: str, tenant: _Tenant, key: Key, branches: int) -> None:
        self.id = program_id
        self.tenant = tenant
        self.key = key
        self.branches = branches
        self.entry: _HeapEntry | None = None


class _Tenant:
    """Attributes: floor: virtual time at which it began to wait. programs: how many it has here.
    entry: its rank; None: it does not wait, because it has no programs or is held."""

    __slots__ = ("entry", "floor", "heap", "name", "programs", "virtual", "weight")

    def __init__(self, name: str, weight: float, virtual: float) -> None:
        self.name = name
        self.weight = weight
        self.virtual = virtual
        self.floor = virtual
        self.heap: list[_HeapEntry] = []
        self.programs = 0
        self.entry: _TenantEntry | None = None


class Queue:
    """Programs with branches that wait for one service. All verbs cost O(log n), amortized.

    Gangs: once a branch of a program has started, the program stays at the head until as many have
    as waited then, whatever happens to keys and shares meanwhile. What waits beyond them queues
    again: nobody has the head for ever. A tenant that is held (`hold`) gives the head up.

    Bounds, in tokens of waves, as long as nothing is charged but waves: of two tenants that wait
    all the time, what was granted over the weight differs by no more than one wave of each over its
    weight. A tenant that is ahead of the queue's virtual time by d (0 for one that begins to wait
    and owes nothing; after being served, at most its wave over its weight) goes next after at most
    2·W·(d + l) and one wave, whoever else comes: W is the most that all waiting tenants weigh
    meanwhile, l the largest wave over its tenant's weight. For N tenants of equal weight and waves
    of one equal lease: within 4N + 1 grants. Within a tenant the order gives the bound
    (`Order.overtaken_within_s`).
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
        self._waiting_weight = 0.0
        self._active = 0
        self._held: set[str] = set()
        self._gang: _Waiting | None = None
        self._wave = 0

    def __len__(self) -> int:
        """Programs that wait, those of held tenants included."""
        return len(self._programs)

    @property
    def active(self) -> int:
        """Programs that wait for room: those whose tenant is not held."""
        return self._active

    def __contains__(self, program_id: str) -> bool:
        return program_id in self._programs

    def put(self, program_id: str, tenant: str, key: Key, branches: int = 1) -> None:
        """So many branches of a program wait, and this is its place; 0: it leaves.

        A program that is here already keeps its tenant.
        """
        if branches <= 0:
            self.remove(program_id)
            return
        waiting = self._programs.get(program_id)
        if waiting is None:
            there = self._tenants.get(tenant) or self._new_tenant(tenant)
            waiting = self._programs[program_id] = _Waiting(program_id, there, key, branches)
            there.programs += 1
            self._push(waiting)
            if tenant not in self._held:
                self._active += 1
                self._join(there)
            return
        waiting.branches = branches
        if self._gang is waiting:
            self._wave = min(self._wave, branches)
        if waiting.key != key:
            waiting.key = key
            self._push(waiting)

    def remove(self, program_id: str) -> None:
        """Nothing of it waits any longer; unknown ones are fine."""
        waiting = self._programs.pop(program_id, None)
        if waiting is None:
            return
        if self._gang is waiting:
            self._gang = None
        tenant = waiting.tenant
        waiting.entry = None
        tenant.programs -= 1
        if tenant.name not in self._held:
            self._active -= 1
        if not tenant.programs:
            self._part(tenant)
            tenant.heap.clear()

    def head(self) -> str | None:
        """Who goes next; None: nobody waits, or all tenants are held."""
        if self._gang is not None:
            return self._gang.id
        tenant = self._first_tenant()
        if tenant is None:
            return None
        heap = tenant.heap
        while heap[0][3].entry is not heap[0]:
            heapq.heappop(heap)
        return heap[0][3].id

    def take(self, program_id: str, tokens: float) -> None:
        """A branch of the head starts, and its tenant is granted the tokens of its lease."""
        waiting = self._programs[program_id]
        tenant = waiting.tenant
        if self._gang is not waiting:
            self._gang, self._wave = waiting, waiting.branches
        self._wave -= 1
        waiting.branches -= 1
        self._charge(tenant, tokens)
        # No further than who was served: else it would run away from those who wait when others
        # leave, or give back much of their leases, and who begins to wait would go after all that.
        advanced = self._now + tokens / max(self._waiting_weight, tenant.weight)
        self._now = max(self._now, min(advanced, tenant.virtual))
        if not waiting.branches:
            self.remove(program_id)
        elif not self._wave:
            self._gang = None

    def charge(self, tenant: str, tokens: float) -> None:
        """Grant a tenant tokens beyond the first lease of a branch; negative: it gives some back.

        What it gives back takes it no further than to where it began to wait.
        """
        there = self._tenants.get(tenant)
        if there is not None or tokens > 0:
            self._charge(there or self._new_tenant(tenant), tokens)

    def hold(self, tenant: str) -> None:
        """Set a tenant's programs aside, those that come later too, until `release`.

        Its own limits hold it back, not lack of room: it does not wait meanwhile.
        """
        if tenant in self._held:
            return
        self._held.add(tenant)
        there = self._tenants.get(tenant)
        if there is not None:
            self._active -= there.programs
            self._part(there)
            if self._gang is not None and self._gang.tenant is there:
                self._gang = None

    def release(self, tenant: str) -> None:
        """Its programs queue again by their keys; fine for one that is not held."""
        if tenant not in self._held:
            return
        self._held.remove(tenant)
        there = self._tenants.get(tenant)
        if there is not None and there.programs:
            self._active += there.programs
            self._join(there)

    def _join(self, tenant: _Tenant) -> None:
        """It waits from now on, if it does not yet."""
        if tenant.entry is None:
            tenant.virtual = tenant.floor = max(tenant.virtual, self._now)
            self._waiting_weight += tenant.weight
            self._rank(tenant)

    def _part(self, tenant: _Tenant) -> None:
        """It waits no longer."""
        if tenant.entry is not None:
            tenant.entry = None
            self._waiting_weight -= tenant.weight

    def _push(self, waiting: _Waiting) -> None:
        """Add an entry; the one before, if any, is stale from now on."""
        tenant, key = waiting.tenant, waiting.key
        self._entries += 1
        waiting.entry = (key[0], key[1], self._entries, waiting)
        heapq.heappush(tenant.heap, waiting.entry)
        if len(tenant.heap) > 64 + 2 * tenant.programs:
            tenant.heap = [entry for entry in tenant.heap if entry[3].entry is entry]
            heapq.heapify(tenant.heap)

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
            if tenant.entry is not None:
                tenant.virtual = max(tenant.virtual, tenant.floor)
                self._rank(tenant)
            return
        first = self._first_tenant()
        if first is not None:
            self._now = max(self._now, first.virtual)
        if tenant.entry is None:
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
                if there.programs or there.virtual > self._now
            }
            self._sweep_at = 64 + 2 * len(self._tenants)
        tenant = self._tenants[name] = _Tenant(name, self._weight(name), 0.0)
        return tenant
