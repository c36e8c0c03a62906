"""The fleet: live replicas, the runs on them, and the commands on their way to them."""

from __future__ import annotations

from dynasor.branch import Branch
from dynasor.fleet.placement import Placement
from dynasor.fleet.prefix import PrefixIndex
from dynasor.fleet.replica import Replica, Run
from dynasor.messages import Close, Command, Extend, Open, Rate, ReplicaInfo, Reset, Start, Stop
from dynasor.program import Program
from dynasor.settings import CoreSettings
from dynasor.work import Score


class Fleet:
    """Carries out decisions on replicas: attach, place, renew, stop, close."""

    def __init__(self, settings: CoreSettings) -> None:
        self._settings = settings
        self._placement = Placement(settings.placement)
        self._run_ids = 0
        self._outbox: dict[str, list[Command]] = {}
        self.replicas: dict[str, Replica] = {}

    @property
    def expires_at(self) -> float | None:
        """When the first replica counts as lost if it stays silent; None: there is none."""
        heard = min((replica.heard_at for replica in self.replicas.values()), default=None)
        return None if heard is None else heard + self._settings.replica_timeout_s

    @property
    def free_services(self) -> set[str]:
        """What some replica offers and has a slot for."""
        free = (replica for replica in self.replicas.values() if replica.free_slots > 0)
        return {service for replica in free for service in replica.info.services}

    def attach(self, replica_id: str, info: ReplicaInfo, now: float) -> None:
        """Take in a replica that runs nothing."""
        prefixes = PrefixIndex(self._settings.placement.prefix_blocks)
        self.replicas[replica_id] = Replica(replica_id, info, now, prefixes)

    def detach(self, replica_id: str) -> list[Run]:
        """Forget a replica and what was on its way to it; returns the runs that are lost."""
        self._outbox.pop(replica_id, None)
        replica = self.replicas.pop(replica_id, None)
        return list(replica.runs.values()) if replica is not None else []

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

    def expired(self, now: float) -> list[str]:
        """Replicas that were silent for too long."""
        timeout = self._settings.replica_timeout_s
        # Summed as in `expires_at`: a tick at that time must find the replica expired.
        return [
            replica.id for replica in self.replicas.values() if replica.heard_at + timeout <= now
        ]

    def run(self, replica_id: str, run_id: int) -> Run | None:
        """A run that is known to be on that replica."""
        return self.replicas[replica_id].runs.get(run_id)

    def end_run(self, replica_id: str, run_id: int) -> None:
        """The replica has reported the run's end; its slot is free."""
        del self.replicas[replica_id].runs[run_id]

    def place(self, program: Program, branch: Branch) -> bool:
        """Give a waiting branch a lease on the best replica. Returns whether there was room."""
        self._expect_parent(program, branch)
        lease = len(branch.tokens) + self._settings.lease_tokens
        lease = lease if branch.limit is None else min(lease, branch.limit)
        replica = self._placement.choose(program, branch, lease, self.replicas.values())
        if replica is None:
            return False
        if program.id not in replica.opened:
            self._open(program, replica)
        prompt, prefix = len(program.prompt), len(branch.prefix)
        room = max(0, replica.info.max_model_len - prompt - prefix - branch.reserve)
        limit = room if branch.limit is None else min(room, branch.limit)
        self._run_ids += 1
        run = Run(self._run_ids, program.id, branch.id, min(lease, limit), limit, prompt, prefix)
        replica.runs[run.id] = run
        replica.prefixes.add(program.blocks(branch, replica.info.block_size))
        branch.place(run.id, replica.id)
        self._send(replica.id, _command(program, branch, run))
        return True

    def renew(self, branch: Branch) -> None:
        """Extend the branch's lease if it comes to its end."""
        run = self._run_of(branch)
        if run is None or run.stopping or run.lease >= run.limit:
            return
        if run.lease - len(branch.tokens) <= self._settings.renew_at * self._settings.lease_tokens:
            lease = min(run.limit, len(branch.tokens) + self._settings.lease_tokens)
            if lease > run.lease:
                run.lease = lease
                self._send(str(branch.replica), Extend(run.id, lease))

    def stop(self, branch: Branch) -> None:
        """Take a running branch's compute back."""
        run = self._run_of(branch)
        if run is not None and not run.stopping:
            run.stopping = True
            self._send(str(branch.replica), Stop(run.id))

    def close(self, program_id: str) -> None:
        """The program is over: replicas may forget its prompt."""
        for replica in self.replicas.values():
            if program_id in replica.opened:
                replica.opened.remove(program_id)
                self._send(replica.id, Close(program_id))

    def take_commands(self) -> dict[str, tuple[Command, ...]]:
        """Commands since the last call, in order, by replica."""
        outbox, self._outbox = self._outbox, {}
        return {replica: tuple(commands) for replica, commands in outbox.items()}

    def _open(self, program: Program, replica: Replica) -> None:
        replica.opened.add(program.id)
        submitted = program.submitted
        query = submitted.query
        opened = Open(
            program=program.id,
            prompt=program.prompt,
            sampling=query.sampling.model_dump(mode="json", exclude={"max_tokens", "seed"}),
            phrases=submitted.phrases,
            answers=query.program.answers,
            question=query.question,
            reference=query.program.reference,
            sink=submitted.sink,
        )
        self._send(replica.id, opened)

    def _expect_parent(self, program: Program, branch: Branch) -> None:
        """What a branch goes on from is most likely still cached where its parent ran."""
        parent = program.parent(branch)
        replica = self.replicas.get(str(parent.replica)) if parent is not None else None
        if replica is not None and branch.service in replica.info.services:
            replica.prefixes.add(program.blocks(branch, replica.info.block_size))

    def _run_of(self, branch: Branch) -> Run | None:
        if branch.run is None or branch.replica not in self.replicas:
            return None
        return self.replicas[branch.replica].runs.get(branch.run)

    def _send(self, replica_id: str, command: Command) -> None:
        self._outbox.setdefault(replica_id, []).append(command)


def _command(program: Program, branch: Branch, run: Run) -> Start | Rate:
    item = branch.item
    if isinstance(item, Score):
        return Rate(run.id, program.id, branch.id, branch.prefix, item.scorer, item.steps)
    return Start(
        run=run.id,
        program=program.id,
        branch=branch.id,
        prefix=branch.prefix,
        generated=tuple(branch.tokens),
        lease=run.lease,
        max_tokens=run.limit,
        injected=branch.injected,
        unseen=branch.unseen,
        seed=_seed(program.submitted.query.sampling.seed, branch),
        temperature=item.temperature,
        until=item.until,
        read=item.read,
        alone=item.kind == "probe",
        measure=item.measure,
        show=item.show,
        after=branch.after,
    )


def _seed(seed: int | None, branch: Branch) -> int | None:
    """As vLLM seeds the children of one request; a run that goes on needs a seed of its own, for
    the engine's random numbers start anew with each."""
    if seed is None:
        return None
    start = seed + branch.id
    return (start if not branch.tokens else hash((start, len(branch.tokens)))) & (2**63 - 1)
