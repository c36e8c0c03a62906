"""Figures of the rounds: each system's, and ratios between systems with confidence intervals.

Rounds of two systems under one load and of one number are a pair: they ran right after each other,
so what slowed the machine down meanwhile hit both. The bootstrap draws pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from cluster.bench.overhead.closed_loop import Round
from cluster.bench.reports.document import Measure
from cluster.bench.stats import (
    Interval,
    Values,
    difference_of_medians,
    markdown_table,
    paired_bootstrap,
    ratio_of_sums,
)

OURS, PEER, DIRECT, HANDLE = "dynasor", "ray-serve-llm", "direct", "handle"

BUSY = 64
"""Concurrent requests from which on throughput has goals."""

THROUGHPUT_GOALS = {DIRECT: 0.95, PEER: 1.5}
"""What this system's throughput should be at least, as a multiple of theirs."""


def measures(rounds: Sequence[Round], seed: int) -> tuple[Measure, ...]:
    """All figures. Names are ``overhead/<concurrency>/<figure>/<system>`` or, of two systems,
    ``overhead/<concurrency>/<figure>/dynasor:<system>``."""
    found: list[Measure] = []
    for concurrency in dict.fromkeys(one.concurrency for one in rounds):
        here = [one for one in rounds if one.concurrency == concurrency]
        systems = {
            name: [one for one in here if one.system == name]
            for name in dict.fromkeys(one.system for one in here)
        }
        for name, theirs in systems.items():
            found += _alone(concurrency, name, theirs, seed)
        ours = systems.pop(OURS, [])
        for name, theirs in systems.items():
            if ours:
                found += _compared(concurrency, name, ours, theirs, seed)
    return tuple(found)


def table(found: Sequence[Measure]) -> str:
    """Markdown: one line per load and system, then one per comparison."""
    values = {one.name: one for one in found}
    rows, ratios = [], []
    for name, one in values.items():
        _, concurrency, figure, system = name.split("/")
        if figure == "throughput":
            p50, p99 = (
                values[f"overhead/{concurrency}/{kind}/{system}"].value for kind in ("p50", "p99")
            )
            cells = [f"{one.value:.0f}", f"{p50:.1f}", f"{p99:.1f}"]
            rows.append([f"{concurrency} {system}", *cells])
        elif ":" in system:
            met = {None: "", True: f"{one.goal} met", False: f"{one.goal} MISSED"}[one.met]
            shown = Interval(one.value, one.low, one.high).show(".3f")
            ratios.append([f"{concurrency} {figure} {system}", shown, met])
    alone = markdown_table(["concurrent requests", "tokens/s", "p50 ms", "p99 ms"], rows)
    return f"{alone}\n\n{markdown_table(['ratio', 'value', 'goal'], ratios)}" if ratios else alone


def _alone(concurrency: int, name: str, rounds: Sequence[Round], seed: int) -> tuple[Measure, ...]:
    kinds: tuple[tuple[str, str, Literal["higher", "lower"], list[float]], ...] = (
        ("throughput", "tokens/s", "higher", [one.throughput for one in rounds]),
        ("p50", "ms", "lower", [one.p50_ms for one in rounds]),
        ("p99", "ms", "lower", [one.p99_ms for one in rounds]),
    )
    return tuple(
        _measure(
            f"overhead/{concurrency}/{figure}/{name}",
            paired_bootstrap(values, values, _middle, seed),
            values,
            unit=unit,
            better=better,
        )
        for figure, unit, better, values in kinds
    )


def _compared(
    concurrency: int, name: str, ours: Sequence[Round], theirs: Sequence[Round], seed: int
) -> tuple[Measure, ...]:
    prefix, pair = f"overhead/{concurrency}", f"{OURS}:{name}"
    speeds = [one.throughput for one in ours], [one.throughput for one in theirs]
    waits = [one.p50_ms for one in ours], [one.p50_ms for one in theirs]
    return (
        _measure(
            f"{prefix}/throughput_ratio/{pair}",
            paired_bootstrap(*speeds, ratio_of_sums, seed),
            _each(*speeds),
            better="higher",
            goal=THROUGHPUT_GOALS.get(name) if concurrency >= BUSY else None,
        ),
        _measure(
            f"{prefix}/p50_ratio/{pair}",
            paired_bootstrap(*waits, _ratio_of_medians, seed),
            _each(*waits),
            better="lower",
            goal=1.0 if name == PEER else None,
        ),
        _measure(
            f"{prefix}/p50_added_ms/{pair}",
            paired_bootstrap(*waits, difference_of_medians, seed),
            [mine - its for mine, its in zip(*waits, strict=True)],
            unit="ms",
            better="lower",
        ),
    )


def _measure(
    name: str,
    interval: Interval,
    repeats: Sequence[float],
    *,
    unit: str = "",
    better: Literal["higher", "lower"],
    goal: float | None = None,
) -> Measure:
    value, low, high = interval
    return Measure(
        name=name,
        value=value,
        low=low,
        high=high,
        unit=unit,
        better=better,
        goal=goal,
        repeats=tuple(repeats),
    )


def _each(a: Sequence[float], b: Sequence[float]) -> list[float]:
    return [mine / its for mine, its in zip(a, b, strict=True)]


def _middle(a: Values, _: Values) -> Values:
    result: Values = np.median(a, axis=1)
    return result


def _ratio_of_medians(a: Values, b: Values) -> Values:
    result: Values = np.median(a, axis=1) / np.median(b, axis=1)
    return result
