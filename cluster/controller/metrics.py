"""`Stats` as Ray metrics, which Ray exports to Prometheus: ``dynasor_`` and the field's name.

A field that holds a table (tenants, contracts) gives one metric per column, with the row's name
as a tag: ``dynasor_tenant_tokens{tenant="default"}``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from ray.util.metrics import Counter, Gauge

from dynasor.stats import Stats

COUNTERS = frozenset(
    {
        "explored",
        "granted",
        "used",
        "returned",
        "placements",
        "prefix_best",
        "prefix_achieved",
        "moves",
        "preempted",
        "tenant_tokens",
    }
)
"""What only grows; everything else is a gauge."""


class Sample(NamedTuple):
    """One number. ``tag``: the kind of row it is from and the row's name; None: from no table."""

    name: str
    value: float
    tag: tuple[str, str] | None = None


def samples(stats: Stats) -> Iterator[Sample]:
    """All numbers in it."""
    for name, value in msgspec.structs.asdict(stats).items():
        if not isinstance(value, dict):
            yield Sample(name, float(value))
            continue
        kind = name.removesuffix("s")
        for row, columns in value.items():
            for column, number in msgspec.structs.asdict(columns).items():
                yield Sample(f"{kind}_{column}", float(number), (kind, row))


class Metrics:
    """Keeps the metrics of this process equal to the latest `Stats`."""

    def __init__(self) -> None:
        self._metrics: dict[str, Gauge | Counter] = {}
        self._counted: dict[tuple[str, tuple[str, str] | None], float] = {}

    def update(self, stats: Stats) -> None:
        """Take these numbers."""
        for sample in samples(stats):
            metric = self._metric(sample)
            tags = {} if sample.tag is None else dict([sample.tag])
            if isinstance(metric, Gauge):
                metric.set(sample.value, tags)
                continue
            key = (sample.name, sample.tag)
            more = sample.value - self._counted.get(key, 0.0)
            self._counted[key] = sample.value
            # What replicas counted goes with them; a counter stays.
            if more > 0:
                metric.inc(more, tags)

    def _metric(self, sample: Sample) -> Gauge | Counter:
        metric = self._metrics.get(sample.name)
        if metric is None:
            kind = Counter if sample.name in COUNTERS else Gauge
            tag_keys = () if sample.tag is None else (sample.tag[0],)
            metric = kind(f"dynasor_{sample.name}", "See dynasor/stats.py.", tag_keys)
            self._metrics[sample.name] = metric
        return metric
