"""Commands leave with a report's reply, or with a poll, of which a replica holds one at a time."""

from __future__ import annotations

from cluster.sim.clock import Clock
from cluster.sim.controller import Order
from cluster.sim.host import Host
from cluster.sim.outbox import Outbox
from cluster.sim.profile import CallCost
from dynasor.messages import Stop

CALLS = CallCost(command_s=1.0, report_s=2.0, query_s=0.0)


def order(run: int) -> Order:
    return Stop(run), None


class Replica:
    def __init__(self) -> None:
        self.clock = Clock()
        self.got: list[tuple[float, int, list[Order]]] = []
        host = Host(0.0, self.clock, lambda: None)
        self.outbox = Outbox("a", CALLS, self.clock, host, self._take)

    def _take(self, name: str, attachment: int, orders: list[Order]) -> None:
        self.got.append((self.clock.now, attachment, orders))

    def run(self) -> None:
        while self.clock.step():
            pass


def test_after_a_poll_came_back_commands_wait_for_the_next() -> None:
    one = Replica()
    one.outbox.put(1, [order(1)])
    one.clock.at(0.5, one.outbox.put, 1, [order(2)])
    one.clock.at(2.0, one.outbox.put, 1, [order(3)])
    one.run()
    assert one.got == [(1.0, 1, [order(1)]), (4.0, 1, [order(2), order(3)])]


def test_what_waits_goes_along_with_a_reports_reply() -> None:
    one = Replica()
    one.outbox.put(1, [order(1)])
    one.clock.at(0.5, one.outbox.put, 1, [order(2)])
    one.clock.at(1.0, one.outbox.reply, 1)
    one.run()
    assert one.got == [(1.0, 1, [order(1)]), (2.0, 1, [order(2)])]


def test_commands_of_an_earlier_attachment_are_dropped() -> None:
    one = Replica()
    one.outbox.put(1, [order(1)])
    one.outbox.put(2, [order(2)])
    one.outbox.put(1, [])
    one.run()
    assert sorted(one.got, key=lambda got: got[1]) == [(1.0, 1, []), (1.0, 2, [order(2)])]
