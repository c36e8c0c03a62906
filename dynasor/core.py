"""The core: programs, replicas and decisions, without clock, thread or I/O.

Inputs go in with the time they happened; commands, results and progress come out. The Serve
controller and the simulator drive the same object. Deterministic: equal inputs, equal steps.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection

from dynasor.branch import Branch
from dynasor.errors import Overloaded
from dynasor.fleet.fleet import Fleet
from dynasor.fleet.replica import Run
from dynasor.inputs import Attach, Cancel, Detach, Heard, Input, Reported, Submit, Tick
from dynasor.messages import End, ReplicaInfo, Report, RunReport
from dynasor.policies import POLICIES, Verdict
from dynasor.program import Program
from dynasor.queue.order import Fcfs, Order
from dynasor.result import Progress, Result, StopReason
from dynasor.settings import CoreSettings
from dynasor.step import Step


class Core:
    """See the module. ``journal`` is called with every input, its time and its step."""

    def __init__(
        self,
        settings: CoreSettings,
        journal: Callable[[Input, float, Step], None] | None = None,
        order: Order | None = None,
    ) -> None:
        self.settings = settings
        self.programs: dict[str, Program] = {}
        self._fleet = Fleet(settings)
        self._order = order or Fcfs()
        self._journal = journal
        self._arrivals = 0
        self._timers: list[tuple[float, int, str]] = []
        self._dirty: dict[str, None] = {}
        self._queued: dict[str, Program] = {}
        self._results: list[Result] = []
        self._progress: list[Progress] = []

    def submit(self, submission: Submit, now: float) -> Step:
        """Take a query. Raises Overloaded, ValueError (a query id in use); nothing changes then."""
        self.check_room(submission)
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
        times = [self._timers[0][0]] if self._timers else []
        times += [self._fleet.expires_at] if self._fleet.expires_at is not None else []
        return min(times, default=None)

    @property
    def replicas(self) -> Collection[str]:
        """Ids of the replicas that live."""
        return self._fleet.replicas.keys()

    def serving(self, service: str) -> int:
        """Replicas that live and offer a service."""
        return sum(service in there.info.services for there in self._fleet.replicas.values())

    @property
    def runs(self) -> int:
        """Runs whose end no replica has reported yet."""
        return sum(len(replica.runs) for replica in self._fleet.replicas.values())

    @property
    def report_period_s(self) -> float:
        """Least time between two reports of one replica, so that all together stay within
        ``reports_per_s``."""
        return max(1, len(self.replicas)) / self.settings.reports_per_s

    def check_room(self, submission: Submit) -> None:
        """Whether `submit` would take it. Raises what `submit` raises."""
        if submission.query_id in self.programs:
            raise ValueError(f"query id {submission.query_id!r} is in use")
        if len(self.programs) >= self.settings.max_programs:
            raise Overloaded(self.settings.max_programs, retry_after_s=1.0)

    def handle(self, event: Input, now: float) -> Step:
        """Take one input of any kind; what the other verbs and a replay call."""
        match event:
            case Submit():
                self._submit(event, now)
            case Cancel(query_id):
                if query_id in self.programs:
                    self._close(self.programs[query_id], "cancelled", now)
                    self._dirty[query_id] = None
            case Attach(replica, info):
                self._lose(replica)
                self._fleet.attach(replica, info, now)
            case Detach(replica):
                self._lose(replica)
            case Heard(replica):
                self._fleet.heard(replica, now)
            case Reported(replica, report) if self._fleet.heard(replica, now):
                self._take_report(replica, report)
            case Tick():
                self._expire(now)
        self._settle(now)
        step = self._take_step()
        if self._journal is not None:
            self._journal(event, now, step)
        return step

    def _submit(self, event: Submit, now: float) -> None:
        spec = event.query.program
        name = spec.policy or self.settings.policy
        policy = POLICIES.get(name, "policy")
        program = Program(
            submitted=event,
            arrival=self._arrivals,
            algorithm=spec.build(),
            policy=policy(spec.policy_params or policy.Params()),
            submitted_at=now,
        )
        self._arrivals += 1
        self.programs[program.id] = program
        self._dirty[program.id] = None
        if program.deadline_at is not None:
            early = min(self.settings.settle_s, (program.deadline_at - now) / 2)
            self._set_timer(program.deadline_at - early, program)

    def _take_report(self, replica: str, report: Report) -> None:
        if any(self._has_gap(replica, news) for news in report.runs):
            # Tokens are missing that nobody will send again: the replica has to start anew.
            self._lose(replica)
            self._fleet.reset(replica)
            return
        for news in report.runs:
            self._take_news(replica, news)

    def _has_gap(self, replica: str, news: RunReport) -> bool:
        run = self._fleet.run(replica, news.run)
        _, branch = self._branch_of(run) if run is not None else (None, None)
        return branch is not None and news.start > len(branch.tokens)

    def _take_news(self, replica: str, news: RunReport) -> None:
        run = self._fleet.run(replica, news.run)
        if run is None:
            return
        program, branch = self._branch_of(run)
        if program is not None and branch is not None:
            if branch.extend(news.start, news.tokens) or news.measured is not None:
                program.grow(branch, news.measured)
            self._dirty[program.id] = None
            if news.end is not None:
                self._end_run(program, branch, news.end)
        if news.end is not None:
            self._fleet.end_run(replica, news.run)

    def _end_run(self, program: Program, branch: Branch, end: End) -> None:
        branch.run = None
        branch.cached_tokens += end.cached_tokens
        branch.read_tokens += end.read_tokens
        match end.reason:
            case "stop" | "step" | "length" | "error":
                program.finish(branch, end.reason, end)
            case "lease" | "stopped" if branch.dropped:
                program.finish(branch, "stopped", end)
            case "lease" | "stopped":
                branch.end = end

    def _lose(self, replica: str) -> None:
        """Runs of a replica that is gone wait for another, with the tokens they had reported."""
        for run in self._fleet.detach(replica):
            program, branch = self._branch_of(run)
            if program is not None and branch is not None:
                branch.run = None
                branch.losses += 1
                if branch.dropped:
                    program.finish(branch, "stopped", branch.end)
                elif branch.losses > self.settings.max_losses:
                    # Perhaps it is this branch that kills them.
                    message = f"its replica was lost {branch.losses} times (max_losses)"
                    program.finish(branch, "error", End("error", message=message))
                self._dirty[program.id] = None

    def _branch_of(self, run: Run) -> tuple[Program | None, Branch | None]:
        """Whose run it is; None when that program has ended, whoever has its id now."""
        program = self.programs.get(run.program)
        branch = program.branches.get(run.branch) if program is not None else None
        return (program, branch) if branch is not None and branch.run == run.id else (None, None)

    def _expire(self, now: float) -> None:
        while self._timers and self._timers[0][0] <= now:
            _, arrival, query_id = heapq.heappop(self._timers)
            program = self.programs.get(query_id)
            if program is not None and program.arrival == arrival:
                self._close(program, "deadline", now)
                self._dirty[query_id] = None
        for replica in self._fleet.expired(now):
            self._lose(replica)

    def _settle(self, now: float) -> None:
        """Bring every program that changed up to date, then fill free slots."""
        dirty, self._dirty = self._dirty, {}
        for query_id in dirty:
            if query_id in self.programs:
                self._advance(self.programs[query_id], now)
        self._place()

    def _advance(self, program: Program, now: float) -> None:
        """Let the policy decide on a program that changed, and carry out what it says."""
        renewed = False
        if program.stop is None:
            verdict, wants_more = _granted(program)
            renewed = program.renews()
            if program.fault:
                self._close(program, "failed", now)
            elif verdict.stop is not None:
                self._close(program, verdict.stop, now)
            elif not program.active and not wants_more:
                self._close(program, "complete" if _any_chain(program) else "failed", now)
        if program.stop is not None:
            self._conclude_if_settled(program, now)
            return
        for branch in program.running:
            if branch.dropped:
                self._fleet.stop(branch)
            elif renewed:
                self._fleet.renew(branch)
        if program.waiting:
            self._queued[program.id] = program
        if program.submitted.watched and now - program.shown_at >= self.settings.progress_period_s:
            program.shown_at = now
            self._progress.append(program.progress(now))

    def _close(self, program: Program, reason: StopReason, now: float) -> None:
        """Take back all compute of a program; its result follows when its runs have ended."""
        if program.stop is not None:
            return
        program.stop = reason
        program.settle_until = now + self.settings.settle_s
        if program.deadline_at is not None:
            program.settle_until = max(now, min(program.settle_until, program.deadline_at))
        running = program.running
        if running:
            self._set_timer(program.settle_until, program)
        for branch in running:
            self._fleet.stop(branch)

    def _set_timer(self, at: float, program: Program) -> None:
        """Wake up for a program; its arrival tells it from a later one of the same id."""
        heapq.heappush(self._timers, (at, program.arrival, program.id))

    def _conclude_if_settled(self, program: Program, now: float) -> None:
        for branch in program.waiting:
            program.finish(branch, "stopped", branch.end)
        assert program.settle_until is not None, "set when the program was closed"
        if program.running and now < program.settle_until:
            return
        for branch in program.running:
            program.finish(branch, "stopped")
        self._results.append(program.result(now))
        self._fleet.close(program.id)
        del self.programs[program.id]
        self._queued.pop(program.id, None)

    def _place(self) -> None:
        """Place waiting branches, program by program in queue order, while there is room.

        The head of the queue is never overtaken: a branch that fits nowhere now goes first when
        room appears. Services have queues of their own.
        """
        free = self._fleet.free_services
        for program in sorted(self._queued.values(), key=self._order.key) if free else ():
            renewed = program.renews()
            for branch in program.waiting:
                if branch.service not in free or (branch.runs and not renewed):
                    continue
                if not self._fleet.place(program, branch):
                    free.remove(branch.service)
            if not free:
                return
            if not program.waiting:
                del self._queued[program.id]

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
