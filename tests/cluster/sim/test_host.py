"""Work beside engines: it waits for its turn, and slows them down meanwhile."""

from __future__ import annotations

import pytest

from cluster.sim.clock import Clock
from cluster.sim.host import Host


class Two:
    """A host of two processors."""

    def __init__(self, cores: float = 2.0, engines: int = 2) -> None:
        self.clock = Clock()
        self.changes: list[tuple[float, float]] = []
        self.host = Host(cores, self.clock, self._changed)
        self.host.engines = engines

    def _changed(self) -> None:
        self.changes.append((self.clock.now, self.host.slowdown))

    def run(self) -> None:
        while self.clock.step():
            pass


def test_three_share_two_processors() -> None:
    one = Two()
    assert one.host.take(0.2, 0.1) == pytest.approx(0.15)
    one.run()
    assert one.changes == [(0.0, 1.5), (pytest.approx(0.3), 1.0)]
    # What the engines have lost together is what the work has taken.
    (began, slower), (ended, _) = one.changes
    lost_s = one.host.engines * (ended - began) * (1 - 1 / slower)
    assert lost_s == pytest.approx(0.2)


def test_work_waits_for_work_that_came_before() -> None:
    one = Two(engines=0)
    assert one.host.take(0.2, 0.1) == pytest.approx(0.1)
    assert one.host.take(0.0, 0.1) == pytest.approx(0.3)
    one.run()
    assert one.changes == [(0.0, 1.0), (pytest.approx(0.2), 1.0)]


def test_what_has_processors_of_its_own_slows_nothing() -> None:
    one = Two(cores=0.0)
    assert [one.host.take(5.0, 0.1) for _ in range(3)] == [0.1] * 3
    one.run()
    assert not one.changes and one.host.slowdown == 1.0
