"""Commands on their way to one replica."""

from __future__ import annotations

import math
from collections.abc import Callable

from cluster.sim.clock import Clock
from cluster.sim.controller import Order
from cluster.sim.host import Host
from cluster.sim.profile import CallCost
from dynasor.messages import Rate, Start

Take = Callable[[str, int, list[Order]], None]
"""What a replica does with orders: its name, the attachment they are for, and the orders."""


class Outbox:
    """As `cluster.controller.shell` has it: emptied by a report's reply, or by the one poll that a
    replica holds; after that, commands wait until it has asked again."""

    def __init__(self, replica: str, calls: CallCost, clock: Clock, host: Host, take: Take) -> None:
        self._replica = replica
        self._calls = calls
        self._clock = clock
        self._host = host
        self._take = take
        self._attachment = 0
        self._orders: list[Order] = []
        self._asked_at = 0.0
        self._leaves_at = math.inf
        self._arrived_at = 0.0

    def put(self, attachment: int, orders: list[Order]) -> None:
        """Send orders as soon as possible, though not before all that happens now has happened.
        None at all, which tell a replica to attach again, answer whatever it asked."""
        if not orders:
            self._send(attachment, [])
            return
        if attachment != self._attachment:
            self._attachment, self._orders = attachment, []
            self._asked_at, self._leaves_at = self._clock.now, math.inf
        self._orders += orders
        if self._leaves_at == math.inf:
            self._leaves_at = max(self._clock.now, self._asked_at)
            self._clock.at(self._leaves_at, self._answer_poll, self._leaves_at)

    def reply(self, attachment: int) -> None:
        """A report is answered now; what waits goes along."""
        if attachment == self._attachment and self._orders:
            self._leaves_at = math.inf
            self._send(attachment, self._orders)
            self._orders = []

    def _answer_poll(self, leaves_at: float) -> None:
        if leaves_at != self._leaves_at:
            return
        self._leaves_at = math.inf
        self._asked_at = self._clock.now + self._calls.command_s + self._calls.report_s
        self._send(self._attachment, self._orders)
        self._orders = []

    def _send(self, attachment: int, orders: list[Order]) -> None:
        begun = sum(isinstance(command, Start | Rate) for command, _ in orders)
        at = self._host.take(begun * self._calls.branch_cpu_s / 2, self._calls.command_s)
        # Orders never overtake each other.
        self._arrived_at = at = max(at, self._arrived_at)
        self._clock.at(at, self._take, self._replica, attachment, orders)
