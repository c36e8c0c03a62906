"""The measures of a document from its runs: the figures of every system and load, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from cluster.bench.reports.document import Measure, Run
from cluster.bench.reports.figures import Load, figures, grouped


class _Kind(NamedTuple):
    unit: str
    better: Literal["higher", "lower"]


KINDS = {
    "accuracy": _Kind("", "higher"),
    "tokens": _Kind("tokens", "lower"),
    "p50_s": _Kind("s", "lower"),
    "p90_s": _Kind("s", "lower"),
    "p99_s": _Kind("s", "lower"),
    "in_time": _Kind("", "higher"),
    "right_in_time": _Kind("", "higher"),
    "throughput": _Kind("queries/s", "higher"),
    "refused": _Kind("", "lower"),
    "lost": _Kind("", "lower"),
}
"""Figures with an interval that become measures."""


def measure_name(bench: str, system: str, load: Load, figure: str) -> str:
    """Such as ``online/value/1.5/in_time``."""
    return "/".join([bench, system, *(f"{value:g}" for _, value in load), figure])


def measures(bench: str, runs: Sequence[Run], seed: int = 0) -> tuple[Measure, ...]:
    """The figures of every system and load; those that are nan (nobody had a deadline) are left
    out. ``seed``: of the bootstrap."""
    found: list[Measure] = []
    for (system, load), group in grouped(runs).items():
        alone = [figures([run], seed) for run in group]
        for together in figures(group, seed):
            for name, kind in KINDS.items():
                interval = getattr(together, name)
                if interval.value != interval.value:
                    continue
                repeats = [getattr(one, name).value for ones in alone for one in ones]
                found.append(
                    Measure(
                        name=measure_name(bench, system, load, name),
                        value=interval.value,
                        low=interval.low,
                        high=interval.high,
                        unit=kind.unit,
                        better=kind.better,
                        repeats=tuple(repeats) if len(repeats) > 1 else (),
                    )
                )
    return tuple(found)
