"""The controller in virtual time: what `cluster.controller.shell` is in real time."""

from __future__ import annotations

import itertools
import math
from typing import Any, Protocol

from cluster.controller.values import ValueFile
from cluster.settings import ControllerSettings
from cluster.sim.clock import Clock
from cluster.sim.meter import CoreMeter
from cluster.sim.outcomes.script import Script
from dynasor.core import Core
from dynasor.inputs import Learned, Submit
from dynasor.messages import Command, Open, ReplicaInfo, Report, Reset
from dynasor.result import Result
from dynasor.step import Step

Order = tuple[Command, Script | None]
"""A command, and with an `Open` what the branches of its program do."""


class Outside(Protocol):
    """Those around the controller."""

    def script(self, query_id: str) -> Script:
        """What the branches of a query in progress do."""

    def concluded(self, result: Result) -> None:
        """A query has a result."""

    def command(self, replica: str, attachment: int, orders: list[Order]) -> None:
        """Commands are on their way to a replica's attachment; none: it has to attach again."""

    def reply(self, replica: str, attachment: int) -> None:
        """A report of a replica's attachment is answered: commands for it may go along."""


class SimController:
    """A core and its clock. No decision is made here.

    Attributes:
        core: None while the controller is down.
        meter: what the core's calls cost, those of earlier controllers included.
    """

    def __init__(self, settings: ControllerSettings, clock: Clock, outside: Outside) -> None:
        self.core: Core | None = None
        self.meter = CoreMeter()
        self._settings = settings
        self._clock = clock
        self._outside = outside
        self._numbers = itertools.count(1)
        self._attached: dict[str, int] = {}
        self._timer_at = math.inf

    def start(self) -> None:
        """A new controller, which knows what its value models say and nothing else."""
        core = self.core = Core(self._settings)
        now = self._clock.now
        ValueFile(self._settings).load(lambda document: _learn(core, document, now))

    def stop(self) -> None:
        """The controller dies."""
        self.core = None
        self._attached.clear()
        self._timer_at = math.inf

    def submit(self, submission: Submit) -> None:
        """Take a query. Raises Overloaded."""
        core, now = self._core, self._clock.now
        self._deliver(self.meter.time(lambda: core.submit(submission, now)))

    def attach(self, replica: str, info: ReplicaInfo) -> int:
        """Take a replica in; returns the number of its attachment."""
        core, now = self._core, self._clock.now
        self._attached[replica] = number = next(self._numbers)
        self._deliver(self.meter.time(lambda: core.attach(replica, info, now)))
        return number

    def heard(self, replica: str, attachment: int) -> None:
        """A replica's poll has come, or its time is over."""
        core, now = self.core, self._clock.now
        if core is None:
            return
        self._deliver(self.meter.time(lambda: core.heard(replica, now)))
        self._check(replica, attachment)

    def report(self, replica: str, attachment: int, report: Report) -> None:
        """A replica's news has come."""
        core, now = self.core, self._clock.now
        if core is None:
            return
        if self._attached.get(replica) == attachment:
            self._deliver(self.meter.time(lambda: core.report(replica, report, now)))
            self._outside.reply(replica, attachment)
        self._check(replica, attachment)

    @property
    def report_period_s(self) -> float:
        """Least time between two reports of one replica."""
        return 0.0 if self.core is None else self.core.report_period_s

    def _check(self, replica: str, attachment: int) -> None:
        if self._attached.get(replica) != attachment:
            self._outside.command(replica, attachment, [])

    @property
    def _core(self) -> Core:
        assert self.core is not None, "nobody calls a controller that is down"
        return self.core

    def _deliver(self, step: Step) -> None:
        for replica, commands in step.commands.items():
            if commands == (Reset(),):
                number = self._attached.pop(replica, 0)
                self._outside.command(replica, number, [])
                continue
            self.meter.commands += len(commands)
            script = self._outside.script
            orders: list[Order] = [
                (command, script(command.program) if isinstance(command, Open) else None)
                for command in commands
            ]
            self._outside.command(replica, self._attached[replica], orders)
        for result in step.results:
            self._outside.concluded(result)
        self._set_timer()

    def _set_timer(self) -> None:
        wake_at = self._core.wake_at
        # One that is due too early finds nothing to do, and looks again.
        if wake_at is not None and wake_at < self._timer_at:
            self._timer_at = wake_at
            self._clock.at(wake_at, self._ring, wake_at)

    def _ring(self, due_at: float) -> None:
        core, now = self.core, self._clock.now
        if core is None or due_at != self._timer_at:
            return
        self._timer_at = math.inf
        wake_at = core.wake_at
        if wake_at is not None and wake_at <= now:
            self._deliver(self.meter.time(lambda: core.tick(now)))
        else:
            self._set_timer()


def _learn(core: Core, document: dict[str, Any], now: float) -> None:
    core.handle(Learned(document), now)
