"""Dispatch: which waiting branch gets a lease next, how large it is, and what became of it.

The order says who is next, the ledger how much that program may have, the fleet whether and where
there is room. Engines hold only what they can run; what waits, waits here.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Mapping

from dynasor.branch import GENERATE, Branch
from dynasor.budget.ledger import Ledger
from dynasor.fleet.fleet import Fleet
from dynasor.learning import Learner
from dynasor.program import Program
from dynasor.queue.orders import TOKEN_RATE, Standing
from dynasor.queue.queue import Queue
from dynasor.settings import CoreSettings
from dynasor.work import REWARD, Score

MOST_SLACKS = 1000


class Dispatcher:
    """Queues programs with waiting branches, one queue for each service, and places branches.

    Attributes:
        ledger: every token that is granted passes through it.
        token_rate: tokens per second of one sequence, measured by the caller.
        paused: programs with branches that their policy lets wait until it thinks otherwise.
    """

    def __init__(self, settings: CoreSettings, fleet: Fleet, learner: Learner) -> None:
        self.ledger = Ledger(settings.limits)
        self.token_rate = TOKEN_RATE
        self._lease_tokens = settings.lease_tokens
        self._weight = settings.queue.weight
        self._order = settings.queue.build_order()
        self._fleet = fleet
        self._learner = learner
        self._queues: dict[str, Queue] = {}
        self._held: list[tuple[float, str, str]] = []
        self._dry_until: float | None = None
        self._unstarted: set[str] = set()
        self._latest: dict[str, float] = {}
        self.paused: dict[str, None] = {}

    @property
    def indexed(self) -> bool:
        """Whether the order wants to know Gittins indices."""
        return self._order.indexed

    @property
    def wake_at(self) -> float | None:
        """When time makes room in an account that was empty; None: no program waits for that."""
        held = self._held[0][0] if self._held else None
        return min((at for at in (held, self._dry_until) if at is not None), default=None)

    @property
    def waiting(self) -> int:
        """Programs that wait for an engine that generates, and are not held back by a limit."""
        queue = self._queues.get(GENERATE)
        return 0 if queue is None else queue.active

    @property
    def unstarted(self) -> int:
        """Programs that wait for their first branch to start."""
        return min(len(self._unstarted), self.waiting)

    def slacks_s(self, now: float) -> tuple[float, ...]:
        """Of waiting programs with a deadline: the time left before a branch that is to be in time
        has to start; below 0: it is too late. Of as many of them as can be looked at quickly."""
        latest = itertools.islice(self._latest.values(), MOST_SLACKS)
        return tuple(at - now for at in latest)

    def enqueue(self, program: Program, standing: Standing) -> None:
        """Let a program's waiting branches wait in the place that the order gives it now. Those
        whose compute was taken back wait only if its policy lets them go on."""
        services = _services(program)
        if program.first_run_at is None and services:
            self._unstarted.add(program.id)
        if program.deadline_at is not None and services:
            self._latest[program.id] = (
                program.deadline_at - standing.serial_tokens / self.token_rate
            )
        else:
            self._latest.pop(program.id, None)
        for service in services:
            if service not in self._queues:
                self._queues[service] = Queue(self._weight)
        if sum(services.values()) < len(program.waiting):
            self.paused[program.id] = None
        else:
            self.paused.pop(program.id, None)
        key = self._order.key(standing, self.token_rate)
        for service, queue in self._queues.items():
            queue.put(program.id, program.terms.tenant, key, services.get(service, 0))

    def leave(self, program: Program) -> None:
        """Nothing of a program waits any longer."""
        self._unstarted.discard(program.id)
        self._latest.pop(program.id, None)
        self.paused.pop(program.id, None)
        for queue in self._queues.values():
            queue.remove(program.id)

    def place(self, programs: Mapping[str, Program], now: float) -> list[Program]:
        """Fill the room there is, head of the queue first.

        The head is never overtaken for lack of room: a branch that fits nowhere now goes first
        when room appears. Where a tenant's tokens don't suffice, all its programs are held back and
        others pass; where the cluster's don't, all wait.

        Returns:
            Programs whose tokens are used up.
        """
        while self._held and self._held[0][0] <= now:
            _, service, tenant = heapq.heappop(self._held)
            self._queues[service].release(tenant)
        self._dry_until = None
        spent: list[Program] = []
        for service, queue in self._queues.items():
            while self._fleet.has_room(service) and (head := queue.head()) is not None:
                program = programs[head]
                on = self._place_first(program, service, queue, now)
                if head not in queue and not any(head in each for each in self._queues.values()):
                    self._latest.pop(head, None)
                if not on:
                    break
                if head not in queue and _first(program, service) is not None:
                    spent.append(program)
        return spent

    def renew(self, program: Program, branch: Branch, now: float) -> None:
        """Extend the lease of a running branch, as far as limits and room allow."""
        tenant = program.terms.tenant
        most = self.ledger.most(program.account, tenant)
        wanted = int(min(self._lease_tokens, most))
        if wanted < 1 or self.ledger.ready_at(tenant, wanted, now) > now:
            return
        more = self._fleet.renew(branch, wanted, self._learner.remaining(program, branch))
        if more:
            self._grant(program, branch, more, now)
            self._queue(branch.service).charge(tenant, more)

    def settle(self, program: Program, branch: Branch, used: int, now: float) -> None:
        """A run is over in which so many tokens were computed; the rest comes back."""
        tenant = program.terms.tenant
        self.ledger.settle(program.account, tenant, branch.drawn, used, now)
        if branch.drawn > used:
            self._queue(branch.service).charge(tenant, used - branch.drawn)
        branch.drawn = 0

    def _place_first(self, program: Program, service: str, queue: Queue, now: float) -> bool:
        """Place one branch of the program. Returns whether to go on: there may be more room."""
        branch = _first(program, service)
        if branch is None:
            queue.remove(program.id)
            self.paused[program.id] = None
            return True
        tenant = program.terms.tenant
        wanted = _wanted(program, branch, self._lease_tokens)
        whole = branch.kind == "score"
        if program.account.left < (wanted if whole else min(1, wanted)):
            queue.remove(program.id)
            return True
        lease = int(min(wanted, self.ledger.most(program.account, tenant)))
        if not self._drawable(tenant, lease, service, queue, now):
            return self._dry_until is None
        # Judging can't be cut: where a bucket is smaller than that, it is in debt afterwards.
        lease = wanted if whole else lease
        expected = self._learner.remaining(program, branch)
        granted = self._fleet.place(program, branch, lease, expected, now)
        if granted is None:
            return False
        program.placed(branch, now)
        self._unstarted.discard(program.id)
        self._grant(program, branch, granted, now)
        queue.take(program.id, granted)
        return True

    def _drawable(self, tenant: str, tokens: int, service: str, queue: Queue, now: float) -> bool:
        """Whether the accounts of all hold so many tokens; if not, sets aside who has to wait."""
        dry_until = self.ledger.cluster.ready_at(tokens, now)
        if dry_until > now:
            self._dry_until = min(dry_until, self._dry_until or dry_until)
            return False
        ready_at = self.ledger.ready_at(tenant, tokens, now)
        if ready_at > now:
            queue.hold(tenant)
            heapq.heappush(self._held, (ready_at, service, tenant))
            return False
        return True

    def _grant(self, program: Program, branch: Branch, tokens: int, now: float) -> None:
        branch.drawn += tokens
        self.ledger.grant(program.account, program.terms.tenant, tokens, now)

    def _queue(self, service: str) -> Queue:
        return self._queues[service]


def _first(program: Program, service: str) -> Branch | None:
    """The branch of a program that goes first there; those whose compute was taken back go on only
    if its policy says so."""
    renews: bool | None = None
    for branch in program.waiting.values():
        if branch.service != service:
            continue
        if branch.runs and renews is None:
            renews = program.renews()
        if not branch.runs or renews:
            return branch
    return None


def _services(program: Program) -> dict[str, int]:
    """How many branches wait for each service, without those that may not go on."""
    counts: dict[str, int] = {}
    renews: bool | None = None
    for branch in program.waiting.values():
        if branch.runs and renews is None:
            renews = program.renews()
        if not branch.runs or renews:
            counts[branch.service] = counts.get(branch.service, 0) + 1
    return counts


def _wanted(program: Program, branch: Branch, lease_tokens: int) -> int:
    """Tokens of the next lease if nothing limits it; of judging, all that a reward model may have
    to read. Verifiers read none."""
    if isinstance(branch.item, Score):
        reads = branch.item.scorer == REWARD
        return len(program.prompt) + len(branch.prefix) if reads else 0
    if branch.limit is None:
        return lease_tokens
    return min(lease_tokens, branch.limit - len(branch.tokens))
