"""Endings: programs whose time is over, taking their compute back, and what is left to be done."""

from __future__ import annotations

import heapq

from dynasor.budget.market import ClusterMarket
from dynasor.dispatch import Dispatcher
from dynasor.fleet.fleet import Fleet
from dynasor.learning import Learner
from dynasor.program import Program
from dynasor.queue.backlog import Backlog
from dynasor.result import Result, StopReason
from dynasor.settings import CoreSettings


class Endings:
    """Ends programs. Between its closing and its result a program waits for its runs' last words.

    Attributes:
        backlog: work that live programs still are.
    """

    def __init__(
        self,
        settings: CoreSettings,
        programs: dict[str, Program],
        fleet: Fleet,
        dispatcher: Dispatcher,
        learner: Learner,
        market: ClusterMarket,
    ) -> None:
        """``programs``: those in progress; who has its result is taken out of it."""
        self.backlog = Backlog()
        self._settings = settings
        self._programs = programs
        self._fleet = fleet
        self._dispatcher = dispatcher
        self._learner = learner
        self._market = market
        self._timers: list[tuple[float, int, str]] = []

    @property
    def wake_at(self) -> float | None:
        """When the next time is over; None: no program has one."""
        return self._timers[0][0] if self._timers else None

    def expect(self, program: Program) -> None:
        """Note a new program's deadline."""
        if program.deadline_at is not None:
            span = program.deadline_at - program.submitted_at
            self._wake_for(program, program.deadline_at - min(self._settings.settle_s, span / 2))

    def expire(self, now: float) -> list[Program]:
        """Close programs whose time is over."""
        expired = []
        while self._timers and self._timers[0][0] <= now:
            _, arrival, query_id = heapq.heappop(self._timers)
            program = self._programs.get(query_id)
            if program is not None and program.arrival == arrival:
                self.close(program, "deadline", now)
                expired.append(program)
        return expired

    def close(self, program: Program, reason: StopReason, now: float) -> None:
        """Take back all compute of a program; its result follows when its runs have ended."""
        if program.stop is not None:
            return
        program.stop = reason
        program.settle_until = now + self._settings.settle_s
        if program.deadline_at is not None:
            program.settle_until = max(now, min(program.settle_until, program.deadline_at))
        self._dispatcher.leave(program)
        if program.running:
            self._wake_for(program, program.settle_until)
        for branch in program.running.values():
            self._fleet.stop(branch)

    def conclude(self, program: Program, now: float) -> Result | None:
        """The result of a program that was closed; None: its runs may still have a last word."""
        for branch in list(program.waiting.values()):
            program.finish(branch, "stopped", branch.end)
        assert program.settle_until is not None, "set when the program was closed"
        if program.running and now < program.settle_until:
            return None
        for branch in list(program.running.values()):
            self._dispatcher.settle(program, branch, branch.computed, now)
            program.finish(branch, "stopped")
        result = program.result(now)
        self._fleet.close(program.id)
        self.backlog.drop(program.id)
        if program.first_run_at is not None:
            self._market.stayed(now - program.first_run_at)
        del self._programs[program.id]
        self._learner.program_ended(program, self._market.values)
        return result

    def _wake_for(self, program: Program, at: float) -> None:
        """Its arrival tells a program from a later one of the same id."""
        heapq.heappush(self._timers, (at, program.arrival, program.id))
