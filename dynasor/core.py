"""The core: programs, replicas and decisions, without clock, thread or I/O.

Inputs go in with the time they happened; commands, results and progress come out. The Serve
controller and the simulator drive the same object. Deterministic: equal inputs, equal steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection

from dynasor.branch import GENERATE
from dynasor.budget.ledger import Ledger
from dynasor.budget.market import ClusterMarket
from dynasor.dispatch import Dispatcher
from dynasor.endings import Endings
from dynasor.errors import Overloaded
from dynasor.fleet.fleet import Fleet
from dynasor.inputs import Attach, Cancel, Detach, Heard, Input, Learned, Reported, Submit, Tick
from dynasor.intake import Intake
from dynasor.learning import Learner
from dynasor.messages import ReplicaInfo, Report
from dynasor.policies import Verdict
from dynasor.program import Program
from dynasor.queue.backlog import Door, Load
from dynasor.result import Progress, Result
from dynasor.settings import CoreSettings
from dynasor.stats import ContractStats, Stats, TenantStats
from dynasor.step import Step
from dynasor.value.values import ValueModels


class Core:
    """See the module. ``journal`` is called with every input, its time and its step."""

    def __init__(
        self,
        settings: CoreSettings,
        journal: Callable[[Input, float, Step], None] | None = None,
    ) -> None:
        self.settings = settings
        self.programs: dict[str, Program] = {}
        self._fleet = Fleet(settings)
        self._learner = Learner(settings.explore_share)
        self._dispatcher = Dispatcher(settings, self._fleet, self._learner)
        self._market = ClusterMarket(settings.price, self._room, self._idle)
        self._intake = Intake(
            self.programs,
            self._fleet,
            self._dispatcher,
            self._learner,
            self._market.rate,
            max_losses=settings.max_losses,
        )
        self._endings = Endings(
            settings, self.programs, self._fleet, self._dispatcher, self._learner, self._market
        )
        self._door = Door(settings.queue, settings.max_programs)
        self._journal = journal
        self._arrivals = 0
        self._results: list[Result] = []
        self._progress: list[Progress] = []

    def submit(self, submission: Submit, now: float) -> Step:
        """Take a query. Raises Overloaded, ValueError (a query id in use); nothing changes then."""
        self.check_room(submission, now)
        return self.handle(submission, now)

    def cancel(self, query_id: str, now: float) -> Step:
        """End a query whose client is gone."""
        return self.handle(Cancel(query_id), now)

    def attach(self, replica: str, info: ReplicaInfo, now: float) -> Step:
        """Take a replica in; what it ran under the same id before is lost."""
        return self.handle(Attach(replica, info), now)

    def detach(self, replica: str, now: float) -> Step:
        """Let a replica go."""
        return self.handle(Detach(replica), now)

    def heard(self, replica: str, now: float) -> Step:
        """Note that a replica lives."""
        return self.handle(Heard(replica), now)

    def report(self, replica: str, report: Report, now: float) -> Step:
        """Take a replica's news."""
        return self.handle(Reported(replica, report), now)

    def tick(self, now: float) -> Step:
        """Let time pass; due at `wake_at` at the latest."""
        return self.handle(Tick(), now)

    @property
    def wake_at(self) -> float | None:
        """When `tick` has something to do, if nothing happens before; None: never."""
        moves = self._market.moves or self._dispatcher.paused
        wakers = (self._endings.wake_at, self._fleet.expires_at, self._dispatcher.wake_at)
        times = [at for at in (*wakers, self._market.due_at if moves else None) if at is not None]
        return min(times, default=None)

    @property
    def replicas(self) -> Collection[str]:
        """Ids of the replicas that live."""
        return self._fleet.replicas.keys()

    def serving(self, service: str) -> int:
        """Replicas that live and offer a service."""
        return self._fleet.serving(service)

    @property
    def runs(self) -> int:
        """Runs whose end no replica has reported yet."""
        return self._fleet.runs

    @property
    def report_period_s(self) -> float:
        """Least time between two reports of one replica, so that all together stay within
        ``reports_per_s``."""
        return max(1, len(self.replicas)) / self.settings.reports_per_s

    @property
    def values(self) -> ValueModels:
        """What traffic has taught about the worth of compute."""
        return self._market.values

    @property
    def ledger(self) -> Ledger:
        """All token accounts."""
        return self._dispatcher.ledger

    def stats(self) -> Stats:
        """Numbers about all of it."""
        cluster, tenants = self.ledger.cluster, self.ledger.tenants
        waiting = sum(len(program.waiting) for program in self.programs.values())
        programs = Counter(program.terms.tenant for program in self.programs.values())
        return Stats(
            price=self._market.price,
            token_rate=self._market.rate.per_s,
            wait_s=self._load.wait_s,
            programs=len(self.programs),
            waiting=waiting,
            running=self.runs,
            explored=self._learner.explored,
            granted=cluster.granted,
            used=cluster.used,
            returned=cluster.returned,
            placements=self._fleet.routing.placements,
            prefix_best=self._fleet.routing.best_tokens,
            prefix_achieved=self._fleet.routing.achieved_tokens,
            moves=self._fleet.moved,
            preempted=self._fleet.preempted,
            tenants={
                name: TenantStats(programs[name], account.used) for name, account in tenants.items()
            },
            contracts={
                f"{'/'.join(each.family)}*{each.cap}@{each.max_disagreement:g}": ContractStats(
                    each.certificate.bound, each.certificate.programs, each.certificate.alarm
                )
                for each in self.values.contracts()
            },
        )

    def check_room(self, submission: Submit, now: float) -> None:
        """Whether `submit` would take it. Raises what `submit` raises."""
        if submission.query_id in self.programs:
            raise ValueError(f"query id {submission.query_id!r} is in use")
        deadline_s = submission.query.program.terms.deadline_s
        refusal = self._door.check(self._load, deadline_s)
        if refusal is not None:
            raise Overloaded(refusal.reason, refusal.retry_after_s)

    def handle(self, event: Input, now: float) -> Step:
        """Take one input of any kind; what the other verbs and a replay call."""
        match event:
            case Submit():
                self._submit(event, now)
            case Cancel(query_id):
                if query_id in self.programs:
                    self._endings.close(self.programs[query_id], "cancelled", now)
                    self._intake.changed[query_id] = None
            case Attach(replica, info):
                self._intake.lose(replica, now)
                self._fleet.attach(replica, info, now)
            case Detach(replica):
                self._intake.lose(replica, now)
            case Heard(replica):
                self._fleet.heard(replica, now)
            case Reported(replica, report) if self._fleet.heard(replica, now):
                self._intake.report(replica, report, now)
            case Learned(document):
                self._market.values = ValueModels.from_document(document)
            case Tick():
                self._expire(now)
        self._settle(now)
        step = self._take_step()
        if self._journal is not None:
            self._journal(event, now, step)
        return step

    def _submit(self, event: Submit, now: float) -> None:
        spec = event.query.program
        policy = spec.build_policy() or self.settings.build_policy()
        program = Program(
            submitted=event,
            arrival=self._arrivals,
            algorithm=spec.build(),
            policy=policy,
            market=self._market,
            account=self.ledger.open(spec.terms),
            submitted_at=now,
            explored=policy.learns and self._learner.explores(self._arrivals),
        )
        self._arrivals += 1
        self.programs[program.id] = program
        self._intake.changed[program.id] = None
        self._endings.expect(program)

    def _expire(self, now: float) -> None:
        for program in self._endings.expire(now):
            self._intake.changed[program.id] = None
        for replica in self._fleet.expired(now):
            self._intake.lose(replica, now)

    def _settle(self, now: float) -> None:
        """Bring every program that changed up to date, then fill free slots."""
        if now >= self._market.due_at:
            self._follow_demand(now)
        while True:
            for query_id in self._intake.take_changed():
                if query_id in self.programs:
                    self._advance(self.programs[query_id], now)
            for program in self._dispatcher.place(self.programs, now):
                # While something runs, tokens may come back.
                if not program.running:
                    self._endings.close(program, "budget", now)
                    self._intake.changed[program.id] = None
            if not self._intake.changed:
                break
        for program, branch in self._intake.take_due():
            if branch.run is not None and program.stop is None and program.renews():
                self._dispatcher.renew(program, branch, now)

    def _advance(self, program: Program, now: float) -> None:
        """Let the policy decide on a program that changed, and carry out what it says."""
        if program.stop is None:
            self._learner.watch(program)
            verdict, wants_more = _granted(program)
            if program.fault:
                self._endings.close(program, "failed", now)
            elif verdict.stop is not None:
                self._endings.close(program, verdict.stop, now)
            elif not program.active and not wants_more:
                self._endings.close(program, "complete" if _any_chain(program) else "failed", now)
        if program.stop is not None:
            result = self._endings.conclude(program, now)
            self._results += [result] if result is not None else []
            return
        for branch in program.take_dropped():
            self._fleet.stop(branch)
        standing = self._learner.standing(program, indexed=self._dispatcher.indexed)
        self._dispatcher.enqueue(program, standing)
        running = len(program.running) * standing.serial_tokens
        self._endings.backlog.set(program.id, standing.remaining_tokens - running)
        if program.submitted.watched and now - program.shown_at >= self.settings.progress_period_s:
            program.shown_at = now
            self._progress.append(program.progress(now))

    def _follow_demand(self, now: float) -> None:
        """Let the price follow those who wait, and ask again who was told to wait for another."""
        waiting, running = self._dispatcher.waiting, self.runs
        slacks_s = self._dispatcher.slacks_s(now)
        serving = len(self.programs) - self._dispatcher.unstarted
        self._market.update(waiting, serving, running, slacks_s, now)
        if waiting and running and self._market.rate.per_s:
            self._dispatcher.token_rate = self._market.rate.per_s / running
        self._intake.changed.update(self._dispatcher.paused)
        if not waiting:
            for run in self._fleet.moves(now):
                _, branch = self._intake.branch_of(run)
                if branch is not None:
                    self._fleet.stop(branch)

    def _room(self) -> int:
        """Branches that could start now without making anybody wait."""
        return 0 if self._dispatcher.waiting else self._fleet.free_slots(GENERATE)

    def _idle(self) -> float:
        return self._fleet.idle(GENERATE)

    @property
    def _load(self) -> Load:
        unstarted = self._dispatcher.unstarted
        wait_s = self._endings.backlog.wait_s(self._market.rate.per_s) if unstarted else 0.0
        return Load(len(self.programs), unstarted, wait_s)

    def _take_step(self) -> Step:
        step = Step(self._fleet.take_commands(), tuple(self._results), tuple(self._progress))
        self._results, self._progress = [], []
        return step


def _granted(program: Program) -> tuple[Verdict, bool]:
    """Let the program begin what its policy grants; returns the verdict that holds then, and
    whether its algorithm wants more.

    A branch that is dropped before it ran ends at once: that is news for the policy as well.
    """
    while True:
        verdict, active = program.verdict(), program.active
        wants_more = program.accept(verdict.allowance)
        if program.active >= active:
            return verdict, wants_more


def _any_chain(program: Program) -> bool:
    return any(branch.ended_by_itself for branch in program.branches.values())
