"""Systems are measured in turns until it is known what each sustains."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from cluster.bench.online import measure as module
from cluster.bench.online.claims import SCALE
from cluster.bench.online.measure import Record, Size, measure
from cluster.bench.reports.document import Run
from cluster.bench.systems.catalog import System, systems
from cluster.bench.systems.options import Plan
from cluster.bench.systems.stage import Stage
from cluster.cli.errors import CliError
from cluster.workload.request import Request
from cluster.workload.served import Served
from cluster.workload.workload import Workload
from tests.cluster.bench.systems.stands import workload

CAPACITY = 8.0


class Fake:
    """Systems that sustain so many queries per second.

    Attributes:
        order: systems in the order in which they were measured, and at which rate.
        arrivals: numbers and times of what each was sent at a rate.
        scales: of the ever tighter deadlines that were told.
    """

    def __init__(self, limits: dict[str, float]) -> None:
        self.limits = limits
        self.order: list[tuple[str, float]] = []
        self.arrivals: dict[tuple[str, float], list[tuple[float, int]]] = {}
        self.scales: list[float] = []

    def in_turn(
        self, system: System, url: str, work: Workload, requests: Iterable[Request],
        load: dict[str, float], clients: int, seconds: float | None = None,
    ) -> Run:  # fmt: skip
        if seconds is None:
            return self._run(system, requests, load, 0.5)
        first = (request for _, request in islice(enumerate(requests), int(CAPACITY * seconds)))
        ends = [self._served(system, one, n / CAPACITY, 0.0) for n, one in enumerate(first)]
        return Run(system=system.name, load=load, served=tuple(ends), wall_s=seconds)

    def when_due(
        self, system: System, url: str, work: Workload, requests: Iterable[Request],
        load: dict[str, float], limit_s: float,
    ) -> Run:  # fmt: skip
        sent = list(requests)
        if SCALE in load:
            self.scales.append(load[SCALE])
            return self._run(system, sent, load, 0.1 if load[SCALE] >= 1.5 else limit_s)
        self.order.append((system.name, load["rate"]))
        self.arrivals[system.name, load["rate"]] = [(one.at_s, one.question) for one in sent]
        sustained = load["rate"] * CAPACITY <= self.limits[system.name] * 1.01
        return self._run(system, sent, load, 0.1 if sustained else limit_s)

    def _run(
        self, system: System, requests: Iterable[Request], load: dict[str, float], took_s: float
    ) -> Run:
        done = tuple(self._served(system, one, one.at_s, took_s) for one in requests)
        return Run(system=system.name, load=load, served=done, wall_s=1.0)

    def _served(self, system: System, one: Request, at_s: float, took_s: float) -> Served:
        return Served(
            number=one.number, system=system.name, kind=one.kind, question=str(one.question),
            outcome="answered", at_s=at_s, latency_s=took_s, deadline_s=one.deadline_s,
        )  # fmt: skip


def planned(tmp_path: Path, *names: str, together: bool = True) -> Plan:
    work = workload(tmp_path, queries=100_000)
    places = {system.place for system in systems(names)}
    starters: dict[Any, Any] = {place: lambda: nullcontext("http://there") for place in places}
    return Plan(systems(names), work, Stage(starters, together))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake({"ray-serve-llm": 8.0, "even": 6.0, "value": 27.0, "value-deadline": 27.0})
    monkeypatch.setattr(module, "sent_in_turn", made.in_turn)
    monkeypatch.setattr(module, "sent_when_due", made.when_due)
    return made


SIZE = Size(seconds=5.0, capacity_s=6.0, alone=4, most=8)


@pytest.mark.parametrize("together", [True, False])
def test_it_finds_what_each_sustains(fake: Fake, tmp_path: Path, together: bool):
    record = Record()
    chosen = planned(tmp_path, "even", "ray-serve-llm", "value", together=together)
    measure(chosen, SIZE, 0, record)
    assert record.capacity == pytest.approx(CAPACITY)
    assert record.common == 0
    highest = {
        name: max(rung for rung in rungs if (name, rung) in sustained(fake))
        for name, rungs in record.rungs.items()
    }
    assert highest == {"ray-serve-llm": 0, "even": -2, "value": 7}
    # At the common rate all of them were measured, with the same arrivals.
    assert fake.arrivals["value", 1.0] == fake.arrivals["even", 1.0]
    assert fake.arrivals["ray-serve-llm", 1.0] == fake.arrivals["even", 1.0]
    if together:
        assert [name for name, _ in fake.order[:3]] == ["even", "ray-serve-llm", "value"]
    else:
        assert fake.order[0][0] == "ray-serve-llm"


def test_who_is_told_deadlines_is_told_ever_tighter_ones(fake: Fake, tmp_path: Path):
    measure(planned(tmp_path, "ray-serve-llm", "value"), SIZE, 0, Record())
    assert not fake.scales
    record = Record()
    measure(planned(tmp_path, "ray-serve-llm", "value-deadline"), SIZE, 0, record)
    assert fake.scales == [2.829, 2.0, 1.0, 1.414, 1.682]
    told = [run for run in record.runs if SCALE in run.load]
    assert {run.load["rate"] for run in told} == {1.0}
    shortest = min(one.deadline_s or 0.0 for one in told[2].served)
    assert shortest == pytest.approx(min(one.deadline_s or 0.0 for one in told[1].served) / 2)


def sustained(fake: Fake) -> set[tuple[str, int]]:
    return {
        (name, rung)
        for name, limit in fake.limits.items()
        for rung in range(-12, 25)
        if module.rate_of(rung) * CAPACITY <= limit * 1.01
    }


def test_deadlines_grow_with_difficulty(fake: Fake, tmp_path: Path):
    record = Record()
    measure(planned(tmp_path, "even"), SIZE, 0, record)
    assert record.base_s == {"vote": pytest.approx(0.5, rel=0.2)}
    deadlines = {one.deadline_s for run in record.runs for one in run.served}
    assert len(deadlines) == 8


def test_what_was_complete_is_kept_when_it_breaks(fake: Fake, tmp_path: Path):
    def breaks(*args: Any) -> Run:
        if len(fake.order) == 2:
            raise KeyboardInterrupt
        return fake.when_due(*args)

    module.sent_when_due = breaks  # type: ignore[assignment]
    record = Record()
    with pytest.raises(KeyboardInterrupt):
        measure(planned(tmp_path, "ray-serve-llm", "value"), SIZE, 0, record)
    assert [run.system for run in record.runs] == ["ray-serve-llm", "value"]


def test_a_system_that_answers_nothing_is_an_error(
    fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def nothing(*args: Any) -> Run:
        return Run(system="even", served=())

    monkeypatch.setattr(module, "sent_in_turn", nothing)
    with pytest.raises(CliError, match="no query"):
        measure(planned(tmp_path, "even"), SIZE, 0, Record())
