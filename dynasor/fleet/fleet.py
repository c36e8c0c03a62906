"""The fleet: live replicas, the runs on them, and the commands on their way to them."""

from __future__ import annotations

from dynasor.branch import Branch
from dynasor.fleet import placements
from dynasor.fleet.admission import Admission
from dynasor.fleet.balance import Balancer
from dynasor.fleet.caches import Caches
from dynasor.fleet.commands import command, seed_of
from dynasor.fleet.homes import Homes
from dynasor.fleet.placement import Choice, Context
from dynasor.fleet.replica import Replica, Run
from dynasor.fleet.roster import Roster
from dynasor.messages import Close, Command, Extend, Load, ReplicaInfo, Reset, Stop
from dynasor.program import Program
from dynasor.settings import CoreSettings
from dynasor.work import Score


class Fleet:
    """Carries out decisions on replicas: attach, place, renew, move, stop, close.

    Attributes:
        replicas: those that live, by id.
        runs: how many runs there are whose end was not reported.
        routing: what placement found cached, beside what there was.
        preempted: how often engines said that they took a running sequence's KV back.
        moved: runs that were moved to even out load.
    """

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._due_below = settings.renew_at * settings.lease_tokens
        self._admission = Admission(settings.placement.admission)
        self._placement = placements.build(settings.placement, self._admission)
        self._balancer = Balancer(settings.placement)
        self._caches = Caches(settings.placement.prefix_blocks)
        self._roster = Roster(settings.replica_timeout_s)
        self._homes = Homes()
        self._moving: set[int] = set()
        self._run_ids = 0
        self._outbox: dict[str, list[Command]] = {}
        self.replicas = self._roster.replicas
        self.runs = 0
        self.routing = self._caches.routing
        self.preempted = self.moved = 0

    # Who is there.

    @property
    def expires_at(self) -> float | None:
        """When the first replica counts as lost if it stays silent; None: there is none."""
        return self._roster.liveness.expires_at

    def expired(self, now: float) -> list[str]:
        """Replicas that were silent for too long."""
        return self._roster.liveness.expired(now)

    def attach(self, replica_id: str, info: ReplicaInfo, now: float) -> None:
        """Take in a replica that runs nothing."""
        replica = self._roster.join(replica_id, info, now)
        self._caches.join(replica.seat, info)

    def detach(self, replica_id: str) -> list[Run]:
        """Forget a replica and what was on its way to it; returns the runs that are lost."""
        self._outbox.pop(replica_id, None)
        replica = self._roster.leave(replica_id)
        if replica is None:
            return []
        self._caches.leave(replica.seat)
        self._moving.difference_update(replica.runs)
        self.runs -= len(replica.runs)
        return list(replica.runs.values())

    def heard(self, replica_id: str, now: float) -> bool:
        """Note a sign of life; one from an unknown replica is answered with a reset.

        Returns:
            Whether the replica is known.
        """
        replica = self.replicas.get(replica_id)
        if replica is None:
            self.reset(replica_id)
            return False
        replica.heard_at = now
        return True

    def reset(self, replica_id: str) -> None:
        """Tell a replica that is not known (any more) to drop all and attach again."""
        self._outbox[replica_id] = [Reset()]

    def take_load(self, replica_id: str, load: Load, now: float) -> None:
        """A replica that is known tells its load."""
        self.preempted += self._admission.take_load(self.replicas[replica_id], load, now)

    def has_room(self, service: str) -> bool:
        """See `Roster`; so are the next three."""
        return self._roster.has_room(service)

    def free_slots(self, service: str) -> int:
        return self._roster.free_slots(service)

    def idle(self, service: str) -> float:
        return self._roster.idle(service)

    def serving(self, service: str) -> int:
        return self._roster.serving(service)

    # Runs.

    def run(self, replica_id: str, run_id: int) -> Run | None:
        """A run that is known to be on that replica."""
        return self.replicas[replica_id].runs.get(run_id)

    def place(
        self,
        program: Program,
        branch: Branch,
        lease: int | None = None,
        expected: tuple[float, float] | None = None,
        now: float | None = None,
    ) -> int | None:
        """Give a waiting branch a lease on the best replica.

        Args:
            lease: new tokens of the lease; None: as the settings say. For a `Score`, what it may
                have to read.
            expected: tokens that the branch is expected to generate yet: the mean, and a high
                quantile; None: it counts as its lease.
            now: None: no rates are measured, and the branch is never moved.

        Returns:
            Tokens granted; None: there was no room.
        """
        lease = self._settings.lease_tokens if lease is None else lease
        run = self._wanted(program, branch, expected, lease)
        run.placed_at = now
        pools = self._roster.offering(branch.service)
        contexts = before = [self._caches.context(program, branch, pool) for pool in pools]
        where = self._ran(program, branch)
        if where is not None:
            self._caches.expect(program, branch, where)
            contexts = [self._caches.context(program, branch, pool) for pool in pools]
        options = list(zip(pools, contexts, strict=True))
        homes = self._homes.of(run.program)
        choice = self._placement.choose(run, options, self._roster.seats, homes, now)
        if choice is None:
            return None
        self._caches.count(options, choice)
        at = pools.index(choice.pool)
        self._begin(run, program, choice, before[at], contexts[at])
        run.lease = min(run.limit, run.tokens + lease)
        branch.place(run.id, choice.replica.id)
        seed = seed_of(program.submitted.query.sampling.seed, branch)
        self._send(choice.replica.id, command(branch, run, seed))
        return lease if isinstance(branch.item, Score) else run.lease - run.tokens

    def is_due(self, run: Run, branch: Branch) -> bool:
        """Whether the run's lease comes to its end and may be extended."""
        left = run.lease - len(branch.tokens)
        return left <= self._due_below and run.lease < run.limit and not run.stopping

    def renew(
        self, branch: Branch, lease: int | None = None, expected: tuple[float, float] | None = None
    ) -> int:
        """Extend the branch's lease if it is due and the KV cache has room for it to go on.

        Args:
            lease: most new tokens; None: as the settings say.
            expected: see `place`, from now on.

        Returns:
            Tokens granted; 0: none.
        """
        run = self._run_of(branch)
        if run is None or not self.is_due(run, branch):
            return 0
        whole, tokens = self._settings.lease_tokens, len(branch.tokens)
        more = min(run.limit, tokens + whole, run.lease + (whole if lease is None else lease))
        if more <= run.lease:
            return 0
        replica = self.replicas[str(branch.replica)]
        replica.advance(run, tokens)
        mean, high = expected if expected is not None else (more - tokens, more - tokens)
        run.expect(mean, high, tokens)
        replica.forecast.revise(run.id, run.prefix + tokens, run.left, run.deviation, replica.steps)
        if not self._admission.renews(replica, run):
            return 0
        granted, run.lease = more - run.lease, more
        self._send(replica.id, Extend(run.id, more))
        return granted

    def stop(self, branch: Branch) -> None:
        """Take a running branch's compute back."""
        run = self._run_of(branch)
        if run is not None and not run.stopping:
            run.stopping = True
            self._send(str(branch.replica), Stop(run.id))

    def moves(self, now: float) -> list[Run]:
        """Runs that would end earlier on another replica, to be stopped and placed again.

        To be asked while no branch waits, as often as one likes: it looks only now and then, and
        not before those that it named have ended.
        """
        if self._moving or not self._balancer.due(now):
            return []
        found = [
            run
            for pool in self._roster.pools
            for run in self._balancer.moves(pool, self._roster.seats, now)
        ]
        self._moving.update(run.id for run in found)
        self.moved += len(found)
        return found

    def found_cached(self, replica_id: str, run_id: int, tokens: int) -> None:
        """A run's engine tells how much of its context it had cached; from then on it has all."""
        replica = self.replicas[replica_id]
        run = replica.runs.get(run_id)
        if run is not None:
            self._caches.found(run, replica, tokens)

    def generated(self, replica_id: str, tokens: int, now: float, whole: bool = True) -> None:
        """A replica has reported so many new tokens; ``whole``: that is all there are."""
        replica = self.replicas[replica_id]
        replica.spell.tokens += tokens
        replica.spell.pass_to(now, len(replica.runs))
        if whole:
            replica.spell.take(self._roster.pool(replica.info).pace)

    def end_run(self, replica_id: str, run_id: int, now: float | None = None) -> None:
        """The replica has reported the run's end; its slot is free."""
        replica = self.replicas[replica_id]
        run, before = replica.runs[run_id], len(replica.runs)
        replica.remove(run, now)
        self._caches.end(run, replica)
        if now is not None:
            self._admission.ended(replica, now)
        self._roster.pool(replica.info).changed(replica, before)
        self._moving.discard(run_id)
        self.runs -= 1

    def close(self, program_id: str) -> None:
        """The program is over: replicas may forget its prompt."""
        for replica in self._homes.close(program_id):
            if self.replicas.get(replica.id) is replica:
                self._send(replica.id, Close(program_id))

    def take_commands(self) -> dict[str, tuple[Command, ...]]:
        """Commands since the last call, in order, by replica."""
        outbox, self._outbox = self._outbox, {}
        return {replica: tuple(commands) for replica, commands in outbox.items()}

    def _wanted(
        self, program: Program, branch: Branch, expected: tuple[float, float] | None, lease: int
    ) -> Run:
        """The run that is to be placed; see `place`."""
        mean, high = expected if expected is not None else (lease, lease)
        return Run(
            self._run_ids + 1,
            program.id,
            branch.id,
            len(program.prompt),
            len(branch.prefix),
            tokens=len(branch.tokens),
            most=branch.limit,
            reserve=branch.reserve,
            mean=mean,
            high=high,
            estimated=expected is not None,
        )

    def _begin(
        self, run: Run, program: Program, choice: Choice, known: Context, context: Context
    ) -> None:
        """The run is on the replica from now on."""
        replica, before = choice.replica, len(choice.replica.runs)
        self._run_ids = run.id
        if run.program not in replica.opened:
            self._send(replica.id, self._homes.open(program, replica))
        self._caches.begin(run, replica, known, context)
        replica.add(run)
        choice.pool.changed(replica, before)
        self.runs += 1

    def _ran(self, program: Program, branch: Branch) -> Replica | None:
        """Where the branch, or what it goes on from, was computed; None: nowhere, or it is gone."""
        if branch.tokens and not branch.losses:
            last: Branch | None = branch
        else:
            last = program.parent(branch)
        replica = self.replicas.get(str(last.replica)) if last is not None else None
        serves = replica is not None and branch.service in replica.info.services
        return replica if serves else None

    def _run_of(self, branch: Branch) -> Run | None:
        if branch.run is None or branch.replica not in self.replicas:
            return None
        return self.replicas[branch.replica].runs.get(branch.run)

    def _send(self, replica_id: str, command: Command) -> None:
        self._outbox.setdefault(replica_id, []).append(command)
