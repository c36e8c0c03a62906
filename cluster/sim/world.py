"""One cluster under one workload, in virtual time.

Everything that happens is an event with a time. The core is called with the same verbs and at the
same occasions as by the Serve controller; its own computing takes no virtual time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cluster.sim.asking import Asking
from cluster.sim.clock import Clock
from cluster.sim.controller import Order, SimController
from cluster.sim.faults import Fault, Loss, Restart, Slow
from cluster.sim.ingress import SimIngress
from cluster.sim.outcomes.script import Script
from cluster.sim.settings import Scenario, System
from cluster.sim.stand import Stand
from cluster.sim.tally import Tally
from cluster.sim.timeline import Timeline
from cluster.workload.request import Request
from dynasor.result import Result

STALL_S = 3600.0
"""Virtual time without any query's arrival or end after which those in progress come to nothing."""

LOOK_EVERY = 2000
"""Events between two looks at how far it is."""

Progress = Callable[[float, int], None]
"""Told the virtual time and how many queries have ended, now and then."""


class World:
    """See the module; an `Outside` of its controller.

    Attributes:
        clock: virtual time.
        tally: what became of the queries.
        timeline: how things went over time.
        restarts: times that the controller was lost.
    """

    def __init__(self, scenario: Scenario, system: System, requests: Iterator[Request]) -> None:
        """Raises InvalidField: the system's settings; naming the field at fault."""
        simulation = scenario.simulation
        settings = scenario.settings_of(system)
        scenario = scenario.model_copy(update={"settings": settings})
        questions = scenario.workload.read_questions()
        self.clock = Clock()
        self.tally = Tally(simulation.keep)
        self.timeline = Timeline(simulation.timeline)
        self.restarts = 0
        self.controller = SimController(settings.controller, self.clock, self)
        self.stand = Stand(scenario, self.clock, self.controller)
        self._ingress = SimIngress(
            Asking(scenario, questions, system.name),
            requests,
            scenario.profile.calls,
            self.stand.hosts,
            self.clock,
            self.controller,
            self.tally,
        )
        for fault in simulation.faults:
            self.clock.at(fault.at_s, self._happen, fault)

    def run(self, progress: Progress) -> None:
        """Until all requests have ended."""
        self.controller.start()
        self.stand.start()
        self._ingress.start()
        self.clock.at(0.0, self._sample)
        while not self._ingress.done:
            for _ in range(LOOK_EVERY):
                if self._ingress.done or not self.clock.step():
                    break
            progress(self.clock.now, self.tally.number)
            if self._stalled:
                self._ingress.give_up("nothing happened to it any more")

    def script(self, query_id: str) -> Script:
        """See `Outside`."""
        return self._ingress.script(query_id)

    def concluded(self, result: Result) -> None:
        """See `Outside`."""
        self._ingress.concluded(result)

    def command(self, replica: str, attachment: int, orders: list[Order]) -> None:
        """See `Outside`."""
        self.stand.command(replica, attachment, orders)

    def reply(self, replica: str, attachment: int) -> None:
        """See `Outside`."""
        self.stand.reply(replica, attachment)

    @property
    def _stalled(self) -> bool:
        waits = bool(self._ingress.in_progress)
        return waits and self.clock.now > self._ingress.moved_at + STALL_S

    def _sample(self) -> None:
        if self.controller.core is not None:
            self.timeline.take(self.controller.core, self.stand, self.clock.now)
        self.clock.at(self.clock.now + self.timeline.period_s, self._sample)

    def _happen(self, fault: Fault) -> None:
        now = self.clock.now
        match fault:
            case Loss():
                self.stand.lose(fault.replica)
                if fault.back_s is not None:
                    self.clock.at(now + fault.back_s, self.stand.bring_back, fault.replica)
            case Slow():
                self.stand.slow_down(fault.replica, fault.factor)
                self.clock.at(now + fault.for_s, self.stand.slow_down, fault.replica, 1.0)
            case Restart() if self.controller.core is not None:
                self.restarts += 1
                self.controller.stop()
                self.stand.controller_lost()
                self._ingress.controller_lost()
                self.clock.at(now + fault.down_s, self._back)

    def _back(self) -> None:
        self.controller.start()
        self._ingress.controller_back()
