"""Plots of the figures of systems under loads: what they cost, how long they take, what they
attain."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes

from cluster.bench.reports.canvas import INK, Look, Plot, figure, legend, log_scale, percent, svg
from cluster.bench.reports.document import Run
from cluster.bench.reports.figures import Figures, Load, grouped
from cluster.bench.stats import Interval

MOST_LOADS = 6
CURVE_POINTS = 200

Looks = Mapping[str, Look]


class Curve(NamedTuple):
    """A figure that is drawn against what was varied."""

    figure: str
    title: str
    label: str
    share: bool


CURVES = (
    Curve("in_time", "Attainment", "share in time", True),
    Curve("p90_s", "P90 of latency", "P90 of latency, s", False),
    Curve("throughput", "Throughput", "answered queries per s", False),
)


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Places of those (tokens, accuracy) that no other one beats in one and equals in the other,
    by tokens."""
    front: list[int] = []
    for i in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not front or points[i][1] > points[front[-1]][1]:
            front.append(i)
    return front


def pareto(found: Sequence[Figures], looks: Looks) -> Iterator[Plot]:
    """Accuracy against tokens; nothing where no tokens are known."""
    known = [one for one in found if one.tokens.value > 0]
    if not known:
        return
    made, (panel,) = figure()
    several = len({one.load for one in known}) > 1
    for one in known:
        look = looks[one.system]
        panel.errorbar(
            one.tokens.value, one.accuracy.value, xerr=_arms(one.tokens), yerr=_arms(one.accuracy),
            color=look.colour, marker=look.marker, linestyle="none", elinewidth=0.9,
            label=one.system,
        )  # fmt: skip
        if several:
            text = " ".join(f"{value:g}" for _, value in one.load)
            at = (one.tokens.value, one.accuracy.value)
            panel.annotate(
                text, at, (4, 4), textcoords="offset points", fontsize=8, color=look.colour
            )
    points = [(one.tokens.value, one.accuracy.value) for one in known]
    front = [points[i] for i in pareto_front(points)]
    tokens, accuracy = zip(*front, strict=True)
    panel.plot(
        tokens, accuracy, color=INK, linewidth=0.9, marker="o", markersize=10,
        markerfacecolor="none", zorder=1,
    )  # fmt: skip
    log_scale(panel, "x", [tokens for tokens, _ in points])
    percent(panel.yaxis)
    panel.set(xlabel="tokens per answered query", ylabel="share answered right")
    legend(made, panel)
    yield Plot(
        "Accuracy and tokens",
        "Mean tokens of the answered queries, everything counted, against the share of all queries "
        "that were answered right; up and left is better. "
        + ("Numbers at points: the load. " if several else "")
        + "Intervals are 95%. Rings and their line: the Pareto front, which nothing beats in both.",
        svg(made, "pareto"),
    )


def latencies(runs: Sequence[Run], looks: Looks) -> Iterator[Plot]:
    """Distribution of latency by system, one plot a load; of many loads, some between the first
    and the last."""
    by: dict[Load, dict[str, list[Run]]] = {}
    for (system, load), group in grouped(runs).items():
        if any(one.answered for run in group for one in run.served):
            by.setdefault(load, {})[system] = group
    chosen = sorted({round(i) for i in np.linspace(0, len(by) - 1, min(MOST_LOADS, len(by)))})
    for i, load in enumerate(list(by)[place] for place in chosen):
        made, (panel,) = figure()
        seen: list[float] = []
        for system, group in by[load].items():
            seen += _distribution(panel, group, system, looks[system])
        log_scale(panel, "x", seen)
        percent(panel.yaxis)
        panel.set(xlabel="latency, s", ylabel="share of all queries", ylim=(0, 1.02))
        legend(made, panel)
        yield Plot(
            f"Latency{_at(load)}",
            "Share of all queries that were answered within a time; refused and lost ones never "
            "were.",
            svg(made, f"latency{i}"),
        )


def curves(found: Sequence[Figures], looks: Looks) -> Iterator[Plot]:
    """Figures against every part of the load that was varied while the others stayed."""
    for number, (key, others) in enumerate(_varied(found)):
        sweep = [
            one for one in found if key in dict(one.load) and _without(one.load, key) == others
        ]
        for curve in CURVES:
            if plot := _curve(curve, sweep, key, others, looks, f"{curve.figure}{number}"):
                yield plot


def _curve(
    curve: Curve, sweep: Sequence[Figures], key: str, others: Load, looks: Looks, name: str
) -> Plot | None:
    lines: dict[str, list[tuple[float, Interval]]] = {}
    for one in sweep:
        interval: Interval = getattr(one, curve.figure)
        if math.isfinite(interval.value):
            lines.setdefault(one.system, []).append((dict(one.load)[key], interval))
    if len({at for points in lines.values() for at, _ in points}) < 2:
        return None
    made, (panel,) = figure()
    for system, points in lines.items():
        points.sort()
        arms = np.hstack([_arms(interval) for _, interval in points])
        look = looks[system]
        panel.errorbar(
            [at for at, _ in points], [interval.value for _, interval in points], yerr=arms,
            color=look.colour, marker=look.marker, linestyle=look.dash, elinewidth=0.9,
            capsize=2, label=system,
        )  # fmt: skip
    if curve.share:
        percent(panel.yaxis)
        panel.axhline(0.9, color=INK, linewidth=0.8, linestyle=":")
        panel.set_ylim(-0.02, 1.02)
    else:
        values = [interval.value for points in lines.values() for _, interval in points]
        log_scale(panel, "y", values)
    panel.set(xlabel=key, ylabel=curve.label)
    legend(made, panel)
    caption = "Intervals are 95%" + (
        " (Wilson); the dotted line is at 90%." if curve.share else "."
    )
    return Plot(f"{curve.title} against {key}{_at(others)}", caption, svg(made, name))


def _varied(found: Sequence[Figures]) -> list[tuple[str, Load]]:
    """Parts of the load with several values, and the rest of the load at which they have them."""
    values: dict[tuple[str, Load], set[float]] = {}
    for one in found:
        for key, value in one.load:
            values.setdefault((key, _without(one.load, key)), set()).add(value)
    return [place for place, seen in values.items() if len(seen) > 1]


def _without(load: Load, key: str) -> Load:
    return tuple(sorted(item for item in load if item[0] != key))


def _distribution(panel: Axes, group: Sequence[Run], system: str, look: Look) -> list[float]:
    """Draw it and return its ends."""
    total = sum(len(run.served) for run in group)
    times = np.sort([one.latency_s for run in group for one in run.served if one.answered])
    count = len(times)
    picks = np.unique(np.linspace(0, count - 1, min(count, CURVE_POINTS)).astype(int))
    panel.plot(
        times[picks], (picks + 1) / total, color=look.colour, linestyle=look.dash,
        drawstyle="steps-post", label=system,
    )  # fmt: skip
    return [float(times[0]), float(times[-1])]


def _arms(interval: Interval) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Lengths of an error bar's arms, shape (2, 1)."""
    value, low, high = interval
    return np.asarray([[max(0.0, value - low)], [max(0.0, high - value)]])


def _at(load: Load) -> str:
    return f" at {', '.join(f'{name} {value:g}' for name, value in load)}" if load else ""
