"""Plots of measures whose names hold a number that was varied: of what can't be computed from
single queries, or where none are kept."""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from typing import NamedTuple

from cluster.bench.reports.canvas import INK, Look, Plot, figure, legend, log_scale, svg
from cluster.bench.reports.document import Document, Measure

MOST_PLOTS = 12


class Place(NamedTuple):
    """What a measure's name says: ``overhead/64/p50/direct`` is the figure ``p50`` of the system
    ``direct`` at 64."""

    figure: str
    system: str
    at: float


def place(name: str, systems: Sequence[str]) -> Place | None:
    """None: there is not exactly one number among the name's parts.

    Args:
        systems: names that are systems; a measure of none of them is of the system "".
    """
    _, *parts = name.split("/")
    numbers = [part for part in parts if _number(part) is not None]
    if len(numbers) != 1:
        return None
    named = [part for part in parts if part in systems]
    rest = [part for part in parts if part not in (*numbers, *named)]
    return Place(" ".join(rest), named[0] if named else "", float(numbers[0]))


def sweeps(
    document: Document, looks: Mapping[str, Look], drawn: Container[str] = ()
) -> Iterator[Plot]:
    """One plot a figure of which one direction is better and that was measured at several numbers;
    ``drawn``: figures that are elsewhere."""
    found: dict[str, dict[str, list[tuple[float, Measure]]]] = {}
    for one in document.measures:
        where = place(one.name, list(looks))
        if where is None or where.figure in drawn or one.better is None:
            continue
        if math.isfinite(one.value):
            lines = found.setdefault(where.figure, {})
            lines.setdefault(where.system, []).append((where.at, one))
    several = [
        (name, lines)
        for name, lines in found.items()
        if len({at for points in lines.values() for at, _ in points}) > 1
    ]
    for i, (name, lines) in enumerate(several[:MOST_PLOTS]):
        yield _sweep(document, name, lines, looks, f"sweep{i}")


def _sweep(
    document: Document,
    name: str,
    lines: Mapping[str, list[tuple[float, Measure]]],
    looks: Mapping[str, Look],
    prefix: str,
) -> Plot:
    made, (panel,) = figure()
    for system, points in lines.items():
        points.sort(key=lambda point: point[0])
        values = [one.value for _, one in points]
        look = looks.get(system, Look(INK, "o", "-"))
        arms = [
            [max(0.0, one.value - one.low) for _, one in points],
            [max(0.0, one.high - one.value) for _, one in points],
        ]
        panel.errorbar(
            [at for at, _ in points], values, yerr=arms, color=look.colour, marker=look.marker,
            linestyle=look.dash, elinewidth=0.9, capsize=2, label=system or name,
        )  # fmt: skip
        goals = [(at, one.goal) for at, one in points if one.goal is not None]
        if goals:
            where, wanted = zip(*goals, strict=True)
            panel.scatter(where, wanted, color=INK, marker="_", s=160, label="goal")
    every = [point for points in lines.values() for point in points]
    varied = {at for at, _ in every}
    log_scale(panel, "x", varied)
    log_scale(panel, "y", [one.value for _, one in every])
    key = _key(document, varied)
    unit = every[0][1].unit
    panel.set(xlabel=key, ylabel=f"{name}, {unit}" if unit else name)
    legend(made, panel)
    return Plot(f"{name} against {key}" if key else name, "Intervals are 95%.", svg(made, prefix))


def _key(document: Document, varied: set[float]) -> str:
    """The part of the loads that has these values; empty: none has."""
    values: dict[str, set[float]] = {}
    for run in document.runs:
        for name, value in run.load.items():
            values.setdefault(name, set()).add(value)
    return next((name for name, seen in values.items() if varied <= seen), "")


def _number(part: str) -> float | None:
    try:
        value = float(part)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
