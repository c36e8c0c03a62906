"""Every number of `Stats` is a metric; counters only grow."""

from __future__ import annotations

import typing
from typing import Any

import msgspec
import pytest

from cluster.controller import metrics
from cluster.controller.metrics import COUNTERS, Metrics, Sample, samples
from dynasor.stats import ContractStats, Stats, TenantStats

FULL = Stats(
    price=0.5,
    granted=10,
    tenants={"me": TenantStats(2, 30)},
    contracts={"abacus/mcts/@0.01": ContractStats(0.25, 5, True)},
)


class FakeMetric:
    """Keeps its numbers by tags."""

    def __init__(self, name: str, description: str, tag_keys: tuple[str, ...]) -> None:
        self.name, self.tag_keys = name, tag_keys
        self.numbers: dict[tuple[tuple[str, str], ...], float] = {}

    def set(self, value: float, tags: dict[str, str]) -> None:
        assert set(tags) == set(self.tag_keys)
        self.numbers[tuple(tags.items())] = value

    def inc(self, value: float, tags: dict[str, str]) -> None:
        assert value > 0
        self.set(self.numbers.get(tuple(tags.items()), 0.0) + value, tags)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Metrics by name, with the kind they were made as."""
    made: dict[str, Any] = {}

    def kind_of(label: str) -> type[FakeMetric]:
        class Kind(FakeMetric):
            kind = label

            def __init__(self, *args: Any) -> None:
                super().__init__(*args)
                assert self.name not in made, "made once"
                made[self.name] = self

        return Kind

    monkeypatch.setattr(metrics, "Gauge", kind_of("gauge"))
    monkeypatch.setattr(metrics, "Counter", kind_of("counter"))
    return made


def test_every_number_is_a_sample():
    names = {sample.name for sample in samples(FULL)}
    scalars = {
        field.name
        for field in msgspec.structs.fields(Stats)
        if typing.get_origin(field.type) is not dict
    }
    assert names == scalars | {
        "tenant_programs",
        "tenant_tokens",
        "contract_bound",
        "contract_episodes",
        "contract_alarm",
    }
    assert Sample("contract_alarm", 1.0, ("contract", "abacus/mcts/@0.01")) in samples(FULL)


def test_counters_are_fields_of_the_stats():
    assert {sample.name for sample in samples(FULL)} >= COUNTERS


def test_gauges_follow_and_counters_add_up(made):
    exporter = Metrics()
    exporter.update(FULL)
    more = msgspec.structs.replace(FULL, price=0.1, granted=25, tenants={"me": TenantStats(0, 31)})
    exporter.update(more)
    exporter.update(more)
    assert made["dynasor_price"].kind == "gauge" and made["dynasor_granted"].kind == "counter"
    assert made["dynasor_price"].numbers == {(): 0.1}
    assert made["dynasor_granted"].numbers == {(): 25.0}
    assert made["dynasor_tenant_programs"].numbers == {(("tenant", "me"),): 0.0}
    assert made["dynasor_tenant_tokens"].numbers == {(("tenant", "me"),): 31.0}


def test_a_count_that_was_lost_with_a_replica_never_takes_a_counter_back(made):
    exporter = Metrics()
    for preempted in (5, 2, 3):
        exporter.update(Stats(preempted=preempted))
    assert made["dynasor_preempted"].numbers == {(): 6.0}


def test_rays_metrics_take_it():
    Metrics().update(FULL)
