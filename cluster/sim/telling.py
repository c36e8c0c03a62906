"""What a simulation tells: tables for people, JSON, and the document of a report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal, NamedTuple

from rich.table import Table

from cluster.bench.reports.document import Document, Measure, Run
from cluster.bench.reports.environment import Environment
from cluster.bench.stats import share_interval
from cluster.sim.settings import Scenario
from cluster.sim.simulation import Simulated
from cluster.workload.workload import Synthetic


class _Row(NamedTuple):
    title: str
    pattern: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None


FIGURES = {
    "queries": _Row("queries", ",.0f"),
    "answered": _Row("answered", ",.0f"),
    "refused": _Row("refused", ",.0f", "", "lower"),
    "failed": _Row("failed", ",.0f", "", "lower"),
    "accuracy": _Row("right answers", ".2%", "", "higher"),
    "tokens": _Row("tokens per query", ",.0f", "tokens", "lower"),
    "branches": _Row("branches per query", ".2f"),
    "mean_s": _Row("latency: mean, s", ".3f", "s", "lower"),
    "p50_s": _Row("P50, s", ".3f", "s", "lower"),
    "p90_s": _Row("P90, s", ".3f", "s", "lower"),
    "p99_s": _Row("P99, s", ".3f", "s", "lower"),
    "in_time": _Row("in time", ".2%", "", "higher"),
    "queries_per_s": _Row("queries per s", ",.2f", "queries/s", "higher"),
    "tokens_per_s": _Row("tokens per s", ",.0f", "tokens/s"),
    "price": _Row("price, mean", ".2e"),
    "waiting": _Row("branches waiting, mean", ",.1f"),
    "kv_used": _Row("KV cache in use, mean", ".1%"),
    "preempted": _Row("preempted sequences", ",.0f", "", "lower"),
    "virtual_s": _Row("virtual time, s", ",.1f", "s"),
}
COSTS = {
    "core_share": _Row("core: CPU s per virtual s", ".4f", "", "lower"),
    "call_p50_us": _Row("core: P50 of a call, µs", ".1f", "µs", "lower"),
    "call_p99_us": _Row("core: P99 of a call, µs", ".1f", "µs", "lower"),
    "decision_us": _Row("core: per command, µs", ".1f", "µs", "lower"),
    "core_s": _Row("core: CPU s in all", ".2f", "s"),
    "wall_s": _Row("time of the simulation, s", ".1f", "s"),
}


def tables(found: Sequence[Simulated]) -> tuple[Table, Table]:
    """The simulated figures, and those that were measured on this machine."""
    simulated = [one.figures for one in found]
    measured = [asdict(one.costs) for one in found]
    systems = [one.system for one in found]
    return (
        _table("simulated", FIGURES, systems, simulated),
        _table("measured on this machine", COSTS, systems, measured),
    )


def as_json(found: Sequence[Simulated]) -> dict[str, Any]:
    """All figures; those under ``simulated`` are the same for equal scenarios."""
    return {
        "simulated": {one.system: {**one.figures, "stops": _stops(one)} for one in found},
        "measured": {one.system: asdict(one.costs) for one in found},
    }


def document(
    found: Sequence[Simulated],
    scenario: Scenario,
    environment: Environment,
    bench: str = "simulate",
) -> Document:
    """A report's document."""
    profile = scenario.profile
    notes = [
        f"Simulated, in virtual time. Step times: profile {profile.name} ({profile.source}; "
        f"{profile.notes or profile.machine}).",
        "Controller CPU was measured on this machine; all else depends on the scenario alone. The "
        "core's computing takes no virtual time.",
        *_made_up(scenario),
    ]
    notes += [
        f"{one.system}: every {one.tally.stride}th query is kept one by one; the measures are of "
        f"all {one.tally.number:,}, what is computed from single queries is of the sample."
        for one in found
        if one.tally.stride > 1
    ]
    return Document(
        bench=bench,
        seeds=(scenario.workload.seed,),
        settings={
            "simulation": scenario.simulation.model_dump(mode="json", exclude_unset=True),
            "application": scenario.settings.model_dump(mode="json", exclude_unset=True),
            "step": scenario.profile.step.model_dump(),
            "workload": scenario.workload.model_dump(mode="json", exclude_unset=True),
        },
        measures=tuple(measure for one in found for measure in measures(one, bench)),
        runs=tuple(
            Run(system=one.system, served=one.served, wall_s=one.virtual_s, timeline=one.timeline)
            for one in found
        ),
        notes=tuple(notes),
        **environment,
    )


def measures(one: Simulated, prefix: str) -> list[Measure]:
    """The figures of one system; nan are left out."""
    found = []
    for rows, values in ((FIGURES, one.figures), (COSTS, asdict(one.costs))):
        for name, row in rows.items():
            value = values.get(name, math.nan)
            if math.isnan(value):
                continue
            low = high = value
            if name == "accuracy":
                right = one.tally.correct
                others = one.tally.number - right
                value, low, high = share_interval([1.0] * right + [0.0] * others)
            found.append(
                Measure(
                    name=f"{prefix}/{one.system}/{name}",
                    value=value,
                    low=low,
                    high=high,
                    unit=row.unit,
                    better=row.better,
                )
            )
    return found


def _made_up(scenario: Scenario) -> list[str]:
    """What of the outcomes no model has said."""
    if isinstance(scenario.workload.questions, Synthetic):
        return ["Questions are drawn from a parametric model: no real model's answers or lengths."]
    missing: set[str] = set()
    for question in scenario.workload.read_questions():
        recorded = {
            "chains": bool(question.chains),
            "steps": bool(question.steps),
            "confidences": all(one.confidence is not None for one in question.samples),
            "rewards": all(one.reward is not None for one in question.samples),
        }
        missing |= {part for part, known in recorded.items() if not known}
    if not missing:
        return []
    names = ", ".join(sorted(missing))
    return [f"Not recorded of all questions, and assumed where needed (`assumed`): {names}."]


def _table(
    title: str, rows: dict[str, _Row], systems: list[str], values: list[dict[str, float]]
) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for system in systems:
        table.add_column(system, justify="right")
    for name, row in rows.items():
        if any(name in one for one in values):
            cells = [format(one.get(name, math.nan), row.pattern) for one in values]
            table.add_row(row.title, *cells)
    return table


def _stops(one: Simulated) -> dict[str, int]:
    return dict(sorted(one.tally.stops.items()))
