"""All replicas of a simulated cluster: attached, woken, slowed by each other, lost and back."""

from __future__ import annotations

from functools import partial

from cluster.settings import EngineSettings
from cluster.sim.clock import Clock
from cluster.sim.controller import Order, SimController
from cluster.sim.engine import SimEngine
from cluster.sim.host import Host
from cluster.sim.outbox import Outbox
from cluster.sim.profile import StepCost
from cluster.sim.replica import SimReplica, Timing
from cluster.sim.settings import Scenario

REATTACH_S = 0.25
"""As `cluster.engine.link.RETRY_S`: between two attempts to reach the controller."""


class Stand:
    """The replicas by number: those that generate, then those that judge.

    Replicas of a host slow each other down, and what serves them slows all of them; judges have
    hosts of their own, as if they were few.

    Attributes:
        hosts: of those that generate.
    """

    def __init__(self, scenario: Scenario, clock: Clock, controller: SimController) -> None:
        self._scenario = scenario
        self._clock = clock
        self._controller = controller
        self._calls = scenario.profile.calls
        self._hold_s = scenario.settings.controller.poll_hold_s
        self._slow: dict[int, float] = {}
        self._numbers: dict[str, int] = {}
        self._busy: dict[int, bool] = {}
        self._lost_tokens = 0
        self._reported_at: dict[str, float] = {}
        each, cores = scenario.profile.replicas_per_host, scenario.profile.cores_per_host
        self.hosts = [
            Host(cores, clock, partial(self._set_speeds, first))
            for first in range(0, scenario.replicas, each)
        ]
        self._judging = Host(0.0, clock, lambda: None)
        self.replicas: list[SimReplica] = []
        names = [f"engine-{number:04}" for number in range(scenario.replicas)]
        names += [f"scorer-{number:04}" for number in range(scenario.scorers)]
        for number, name in enumerate(names):
            self._numbers[name] = number
            self.replicas.append(self._made(number, name))
        self._outboxes = {
            name: Outbox(name, scenario.profile.calls, clock, self._host(number), self._take)
            for number, name in enumerate(names)
        }

    @property
    def engines(self) -> list[SimReplica]:
        """Those that generate."""
        return self.replicas[: self._scenario.replicas]

    @property
    def generated(self) -> int:
        """Tokens that all engines have generated, those included that nobody got."""
        return self._lost_tokens + sum(one.engine.generated_in_all for one in self.engines)

    def start(self) -> None:
        """Attach all of them; their polls come one after the other, not all at once."""
        for number, replica in enumerate(self.replicas):
            self._attach(replica)
            first = self._clock.now + self._hold_s * (number + 1) / len(self.replicas)
            self._clock.at(first, self._poll, replica)

    def command(self, name: str, attachment: int, orders: list[Order]) -> None:
        """See `Outside`."""
        self._outboxes[name].put(attachment, orders)

    def reply(self, name: str, attachment: int) -> None:
        """See `Outside`."""
        self._outboxes[name].reply(attachment)

    def controller_lost(self) -> None:
        """All replicas drop what they run, and look for a new controller."""
        for replica in self.replicas:
            if replica.attachment:
                self._reset(replica)

    def lose(self, number: int) -> None:
        """A replica dies."""
        self.replicas[number].attachment = 0
        self._lost_tokens += self.replicas[number].engine.generated_in_all
        self.replicas[number] = self._made(number, self.replicas[number].id)
        self._crowd(number)
        self._set_speed(number)

    def bring_back(self, number: int) -> None:
        """A replica that died is there again, empty."""
        replica = self.replicas[number]
        self._attach(replica)
        self._clock.at(self._clock.now + self._hold_s, self._poll, replica)

    def slow_down(self, number: int, factor: float) -> None:
        """A replica's steps take so many times as long from now on; 1: as usual."""
        self._slow[number] = factor
        self._set_speed(number)

    def _made(self, number: int, name: str) -> SimReplica:
        scenario, profile = self._scenario, self._scenario.profile
        judges = number >= scenario.replicas
        settings: EngineSettings = scenario.settings.engine
        step: StepCost = profile.step
        if judges:
            assert scenario.settings.reward is not None and profile.reward is not None
            settings, step = scenario.settings.reward, profile.reward
        engine = SimEngine(
            scenario.info(settings), profile, step, scenario.batched_tokens(settings)
        )
        trip_s = self._calls.report_s + self._calls.command_s
        crowded = bool(profile.crowding) and profile.replicas_per_host > 1
        exact = crowded or bool(profile.cores_per_host)
        timing = Timing(trip_s, settings.report_tokens_s, exact)
        return SimReplica(name, engine, scenario.info(settings), timing)

    def _attach(self, replica: SimReplica) -> None:
        if replica.attachment or self.replicas[self._numbers[replica.id]] is not replica:
            return
        if self._controller.core is None:
            self._clock.at(self._clock.now + REATTACH_S, self._attach, replica)
            return
        replica.attachment = self._controller.attach(replica.id, replica.info)

    def _reset(self, replica: SimReplica) -> None:
        replica.attachment = 0
        replica.drop_all(self._clock.now)
        self._crowd(self._numbers[replica.id])
        self._clock.at(self._clock.now + REATTACH_S, self._attach, replica)

    def _poll(self, replica: SimReplica) -> None:
        """A sign of life, as often as a held poll comes back."""
        if self.replicas[self._numbers[replica.id]] is not replica:
            return
        if replica.attachment:
            self._controller.heard(replica.id, replica.attachment)
        self._clock.at(self._clock.now + self._hold_s, self._poll, replica)

    def _take(self, name: str, attachment: int, orders: list[Order]) -> None:
        replica = self.replicas[self._numbers[name]]
        if not attachment or replica.attachment != attachment:
            return
        if not orders:
            self._reset(replica)
            return
        replica.apply(orders, self._clock.now)
        self._crowd(self._numbers[name])
        self._look(replica)

    def _look(self, replica: SimReplica) -> None:
        """See to it that a replica is woken in time; too early does no harm."""
        due_at = replica.due_at
        if due_at < replica.scheduled_at:
            replica.scheduled_at = due_at
            self._clock.at(due_at, self._wake, replica, due_at)

    def _wake(self, replica: SimReplica, due_at: float) -> None:
        if replica.scheduled_at != due_at:
            return
        replica.scheduled_at = float("inf")
        if not replica.attachment:
            return
        now = self._clock.now
        replica.advance(now)
        self._crowd(self._numbers[replica.id])
        report = replica.take_report(now, self._controller.report_period_s)
        if report is not None:
            ended = sum(run.end is not None for run in report.runs)
            host = self._host(self._numbers[replica.id])
            at = host.take(ended * self._calls.branch_cpu_s / 2, self._calls.report_s)
            # Reports never overtake each other.
            self._reported_at[replica.id] = at = max(at, self._reported_at.get(replica.id, 0.0))
            self._clock.at(at, self._controller.report, replica.id, replica.attachment, report)
        self._look(replica)

    def _crowd(self, number: int) -> None:
        """Let the others of its host feel whether a replica is busy."""
        busy = self.replicas[number].busy
        if self._busy.get(number, False) == busy:
            return
        self._busy[number] = busy
        self._host(number).engines += 1 if busy else -1
        if not self._scenario.profile.crowding:
            return
        for other in self._neighbours(number):
            if other != number:
                self._set_speed(other)

    def _host(self, number: int) -> Host:
        if number >= self._scenario.replicas:
            return self._judging
        return self.hosts[number // self._scenario.profile.replicas_per_host]

    def _set_speeds(self, number: int) -> None:
        """Of all the replicas of a host, by one of them."""
        for one in self._neighbours(number):
            self._set_speed(one)

    def _neighbours(self, number: int) -> range:
        each, engines = self._scenario.profile.replicas_per_host, self._scenario.replicas
        if number >= engines:
            return range(number, number + 1)
        first = number // each * each
        return range(first, min(first + each, engines))

    def _set_speed(self, number: int) -> None:
        others = sum(
            self._busy.get(other, False) for other in self._neighbours(number) if other != number
        )
        crowded = 1 + self._scenario.profile.crowding * others
        factor = self._slow.get(number, 1.0) * crowded * self._host(number).slowdown
        replica = self.replicas[number]
        replica.engine.set_speed(factor, self._clock.now)
        if replica.attachment:
            self._look(replica)
