"""A replica in virtual time: an engine, and what a real one's runner and link do around it."""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from cluster.engine.load import NOTICEABLE
from cluster.sim.engine import SimEngine
from cluster.sim.job import Job
from cluster.sim.outcomes.script import Script
from cluster.sim.run import SimRun
from dynasor.messages import (
    Close,
    Command,
    End,
    Extend,
    Load,
    Open,
    Rate,
    ReplicaInfo,
    Report,
    Start,
    Stop,
)
from dynasor.work import REWARD

VERIFIER_S = 0.01
"""Time of a verifier's call; how many a replica runs at once is not simulated."""


class Timing(NamedTuple):
    """How a replica and its calls take their time, in seconds.

    Attributes:
        round_trip_s: of a report, until its reply is there.
        tokens_s: how long mere token counts may wait for a report.
        exact: it has to notice at once when its engine has nothing left to do.
    """

    round_trip_s: float
    tokens_s: float
    exact: bool = False


class SimReplica:
    """Carries out commands and gathers what is to be reported.

    Attributes:
        attachment: number of its attachment; 0: it is not attached, or dead.
        scheduled_at: when it is going to be woken.
    """

    def __init__(self, name: str, engine: SimEngine, info: ReplicaInfo, timing: Timing) -> None:
        self.id = name
        self.engine = engine
        self.info = info
        self.attachment = 0
        self.scheduled_at = math.inf
        self._timing = timing
        self._jobs = itertools.count(1)
        self._programs: dict[str, tuple[Open, Script]] = {}
        self._runs: dict[int, SimRun] = {}
        self._by_job: dict[int, SimRun] = {}
        self._thinking: dict[int, SimRun] = {}
        self._verifying: list[tuple[float, int]] = []
        self._ended: list[SimRun] = []
        self._earliest = 0.0
        self._growth_at = 0.0
        self._told: Load | None = None

    @property
    def busy(self) -> bool:
        """Whether its engine has something to do."""
        return bool(self._by_job)

    @property
    def due_at(self) -> float:
        """When it has to be woken, unless commands come before."""
        if self._ended:
            return self._earliest
        verified_at = self._verifying[0][0] if self._verifying else math.inf
        at = min(self._engine_at, verified_at)
        if not self._timing.exact:
            # What ends before the next report may go is looked at then.
            at = max(at, self._earliest)
        at = min(at, max(self._earliest, self._thought_at))
        return min(at, max(self._earliest, self._growth_at)) if self._by_job else at

    def apply(self, commands: Iterable[tuple[Command, Script | None]], now: float) -> None:
        """Carry out commands in order; each `Open` with the script of its program."""
        self.advance(now)
        if not self._by_job:
            self._growth_at = max(self._growth_at, now + self._timing.tokens_s)
        for command, script in commands:
            match command:
                case Open():
                    assert script is not None
                    self._programs[command.program] = (command, script)
                case Start() | Rate():
                    self._start(command, now)
                case Extend(run, lease):
                    self._extend(run, lease, now)
                case Stop(run):
                    self._stop(run, now)
                case Close(program):
                    self._programs.pop(program, None)

    def advance(self, now: float) -> None:
        """Let its engine come to this time."""
        for done in self.engine.advance(now):
            # Of what was dropped nobody wants to hear.
            run = self._by_job.pop(done.id, None)
            self._thinking.pop(done.id, None)
            if run is not None:
                run.ended(done.generated, done.cached_tokens)
                self._end(run)
        while self._verifying and self._verifying[0][0] <= now:
            run = self._runs.get(heapq.heappop(self._verifying)[1])
            if run is not None:
                run.verified()
                self._end(run)

    def take_report(self, now: float, period_s: float) -> Report | None:
        """What is to be reported now, if something is: the ends of runs and of thoughts as soon as
        a report may go, and all growth when it has waited for long enough.

        Args:
            period_s: least time between two reports.
        """
        if now < self._earliest:
            return None
        growth = now >= self._growth_at
        if not self._ended and not growth and self._thought_at > now:
            return None
        news = [run.news() for run in self._ended]
        self._ended = []
        if growth:
            self._growth_at = now + self._timing.round_trip_s + self._timing.tokens_s
        for job, run in (self._by_job if growth else self._thinking).items():
            run.total = run.before + self.engine.generated(job)
            if run.total > run.reported and (growth or run.thought_over):
                news.append(run.news())
        if not news:
            return None
        self._earliest = now + max(period_s, self._timing.round_trip_s)
        return Report(tuple(news), self._take_load(), growth)

    def drop_all(self, now: float) -> None:
        """End everything without a report."""
        self.engine.abort(list(self._by_job), now)
        for held in (self._programs, self._runs, self._by_job, self._thinking):
            held.clear()
        self._ended, self._verifying = [], []
        self._told = None

    def _start(self, command: Start | Rate, now: float) -> None:
        opened, script = self._programs[command.program]
        run = SimRun(command, opened, script, next(self._jobs))
        self._runs[command.run] = run
        if isinstance(command, Rate) and command.scorer != REWARD:
            heapq.heappush(self._verifying, (now + VERIFIER_S, command.run))
            return
        if isinstance(command, Start) and command.max_tokens <= len(command.generated):
            run.end = End("length")
            self._end(run)
            return
        if isinstance(command, Start):
            job = Job(run.job, run.context, run.limit, run.writes)
        else:
            job = Job(run.job, run.context, 0)
        try:
            self.engine.submit(job, now)
        except ValueError as error:
            run.end = End("error", message=str(error))
            self._end(run)
            return
        self._by_job[run.job] = run
        if run.next_thought is not None:
            self._thinking[run.job] = run

    def _extend(self, number: int, lease: int, now: float) -> None:
        run = self._runs.get(number)
        if run is None or lease <= run.lease or run.taken_back:
            return
        before = run.limit
        run.lease = lease
        if run.limit != before:
            self.engine.set_limit(run.job, run.limit, now)

    def _stop(self, number: int, now: float) -> None:
        run = self._runs.get(number)
        if run is None:
            return
        run.taken_back = True
        if run.job in self._by_job:
            self.engine.abort((run.job,), now)
        else:
            run.end = End("stopped")
            self._end(run)

    def _end(self, run: SimRun) -> None:
        del self._runs[run.command.run]
        self._ended.append(run)

    @property
    def _engine_at(self) -> float:
        at = self.engine.next_at
        return math.inf if at is None else at

    @property
    def _thought_at(self) -> float:
        """When the next thought ends that was not reported, as far as the engine knows now."""
        at = math.inf
        for job, run in self._thinking.items():
            tokens = run.next_thought
            if tokens is not None:
                ends_at = self.engine.reaches_at(job, tokens - run.before)
                at = min(at, math.inf if ends_at is None else ends_at)
        return at

    def _take_load(self) -> Load | None:
        load = self.engine.load
        load = msgspec.structs.replace(load, kv_used=round(load.kv_used, NOTICEABLE))
        if load == self._told:
            return None
        self._told = load
        return load
