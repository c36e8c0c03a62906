"""Intake: what replicas report, and their loss, as events of the programs they concern."""

from __future__ import annotations

from collections.abc import Mapping

from dynasor.branch import Branch
from dynasor.budget.rates import TokenRate
from dynasor.dispatch import Dispatcher
from dynasor.fleet.fleet import Fleet
from dynasor.fleet.replica import Run
from dynasor.learning import Learner
from dynasor.messages import End, Report, RunReport
from dynasor.program import Program
from dynasor.token_ids import TOKEN_BYTES


class Intake:
    """Turns the news of runs into progress of branches.

    Attributes:
        changed: programs that something happened to, until `take_changed`.
    """

    def __init__(
        self,
        programs: Mapping[str, Program],
        fleet: Fleet,
        dispatcher: Dispatcher,
        learner: Learner,
        rate: TokenRate,
        *,
        max_losses: int,
    ) -> None:
        """``max_losses``: see `CoreSettings`."""
        self.changed: dict[str, None] = {}
        self._programs = programs
        self._fleet = fleet
        self._dispatcher = dispatcher
        self._learner = learner
        self._rate = rate
        self._max_losses = max_losses
        self._due: list[tuple[Program, Branch]] = []

    def take_changed(self) -> dict[str, None]:
        """Programs that something happened to since the last call, in that order."""
        changed, self.changed = self.changed, {}
        return changed

    def take_due(self) -> list[tuple[Program, Branch]]:
        """Branches whose lease came near its end since the last call."""
        due, self._due = self._due, []
        return due

    def report(self, replica: str, report: Report, now: float) -> None:
        """Take a replica's news."""
        for news in report.runs:
            if not self._take_news(replica, news, now):
                # Tokens are missing that nobody will send again: the replica has to start anew.
                self.lose(replica, now)
                self._fleet.reset(replica)
                return
        tokens = sum(len(news.packed) for news in report.runs) // TOKEN_BYTES
        self._fleet.generated(replica, tokens, now, report.whole)
        if report.load is not None:
            self._fleet.take_load(replica, report.load, now)

    def _take_news(self, replica: str, news: RunReport, now: float) -> bool:
        """Take the news of one run. Returns whether they follow on what is known of it."""
        run = self._fleet.run(replica, news.run)
        if run is None:
            return True
        program, branch = self.branch_of(run)
        if program is not None and branch is not None:
            if news.start > len(branch.tokens):
                return False
            new = branch.extend(news.start, news.packed)
            self._rate.count(new)
            grown = new or news.measured is not None
            if (grown and program.grow(branch, new, news.measured)) or program.submitted.watched:
                self.changed[program.id] = None
            if news.end is not None:
                self._end_run(program, branch, news.end, now)
                self.changed[program.id] = None
            elif self._fleet.is_due(run, branch):
                self._due.append((program, branch))
        if news.cached_tokens is not None:
            self._fleet.found_cached(replica, news.run, news.cached_tokens)
        if news.end is not None:
            self._fleet.end_run(replica, news.run, now)
        return True

    def _end_run(self, program: Program, branch: Branch, end: End, now: float) -> None:
        branch.cached_tokens += end.cached_tokens
        branch.read_tokens += end.read_tokens
        program.read += end.read_tokens
        used = end.read_tokens if branch.kind == "score" else branch.computed
        self._dispatcher.settle(program, branch, used, now)
        match end.reason:
            case "stop" | "step" | "length" | "error":
                program.finish(branch, end.reason, end)
                if branch.ended_by_itself:
                    self._learner.branch_ended(program, branch)
            case "lease" | "stopped" if branch.dropped:
                program.finish(branch, "stopped", end)
            case "lease" | "stopped":
                program.pause(branch, end)

    def lose(self, replica: str, now: float) -> None:
        """Runs of a replica that is gone wait for another, with the tokens they had reported."""
        for run in self._fleet.detach(replica):
            program, branch = self.branch_of(run)
            if program is not None and branch is not None:
                self._dispatcher.settle(program, branch, branch.computed, now)
                branch.losses += 1
                if branch.dropped:
                    program.finish(branch, "stopped", branch.end)
                elif branch.losses > self._max_losses:
                    # Perhaps it is this branch that kills them.
                    message = f"its replica was lost {branch.losses} times (max_losses)"
                    program.finish(branch, "error", End("error", message=message))
                else:
                    program.pause(branch, branch.end)
                self.changed[program.id] = None

    def branch_of(self, run: Run) -> tuple[Program | None, Branch | None]:
        """Whose run it is; None when that program has ended, whoever has its id now."""
        program = self._programs.get(run.program)
        branch = program.branches.get(run.branch) if program is not None else None
        return (program, branch) if branch is not None and branch.run == run.id else (None, None)
