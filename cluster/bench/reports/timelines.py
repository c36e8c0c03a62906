"""Plots of runs over time: price, running, waiting, and how compute moved between programs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from cluster.bench.reports.canvas import HEIGHT_IN, SERIES, Look, Plot, figure, legend, svg
from cluster.bench.reports.document import Run
from cluster.bench.reports.figures import Load, load_of
from cluster.bench.stats import Values

MOST_INSTANTS = 200
MOST_PROGRAMS = 40
"""Those that ran most get an area of their own; the others share one."""

MOST_SYSTEMS = 4
PANEL_IN = 1.3
PROGRAM, RUNNING, AT = "program", "running", "at_s"

Sample = Mapping[str, float]


def timelines(runs: Sequence[Run], looks: Mapping[str, Look]) -> Iterator[Plot]:
    """Every sampled number over time, a panel each; at the load at which most systems have any,
    of these the highest."""
    chosen = _chosen(runs, lambda sample: PROGRAM not in sample)
    samples = {
        run.system: [sample for sample in run.timeline if PROGRAM not in sample] for run in chosen
    }
    every = (name for some in samples.values() for sample in some for name in sample)
    names = [name for name in dict.fromkeys(every) if name != AT]
    if not names:
        return
    made, panels = figure(len(names), 0.9 + PANEL_IN * len(names))
    for panel, name in zip(panels, names, strict=True):
        for system, some in samples.items():
            points = sorted((sample[AT], sample[name]) for sample in some if name in sample)
            if points:
                times, values = zip(*(points[i] for i in _thinned(len(points))), strict=True)
                look = looks[system]
                panel.plot(
                    times, values, color=look.colour, linestyle=look.dash, linewidth=1.2,
                    drawstyle="steps-post", label=system,
                )  # fmt: skip
        panel.set_ylabel(name)
    panels[-1].set_xlabel("time, s")
    legend(made, panels[0])
    yield Plot(f"Over time{_at(chosen)}", "Sampled while it ran.", svg(made, "timeline"))


def lanes(runs: Sequence[Run]) -> Iterator[Plot]:
    """Running branches of every program, stacked, one plot a system."""
    chosen = _chosen(runs, lambda sample: PROGRAM in sample)
    for number, run in enumerate(chosen[:MOST_SYSTEMS]):
        times, branches = shares(run.timeline)
        made, (panel,) = figure(1, HEIGHT_IN)
        order, others = _largest(branches)
        colours = [SERIES[i % len(SERIES)] for i in range(len(order))]
        stacked = [branches[i] for i in order]
        if others:
            stacked.append(branches[others].sum(axis=0))
            colours.append("#888888")
        areas = panel.stackplot(times, stacked, colors=colours, step="post", linewidth=0)
        for i, area in enumerate(areas):
            area.set_alpha(0.9 if (i // len(SERIES)) % 2 == 0 else 0.6)
        panel.set(xlabel="time, s", ylabel="running branches", xlim=(times[0], times[-1]))
        rest = f" The grey area: {len(others)} others together." if others else ""
        yield Plot(
            f"Compute by program: {run.system}{_at([run])}",
            f"Every area is a program of {len(branches)}, as high as it has branches running; the "
            f"earliest is at the bottom.{rest}",
            svg(made, f"lanes{number}"),
        )


def shares(timeline: Sequence[Sample]) -> tuple[Values, Values]:
    """Running branches of every program, by when it first ran, at some of the sampled times.

    A program without a sample at a time at which others have one runs nothing then.

    Returns:
        Times, shape (n,), and branches, shape (programs, n).
    """
    samples = [sample for sample in timeline if PROGRAM in sample]
    times = sorted({sample[AT] for sample in samples})
    kept = {times[i]: column for column, i in enumerate(_thinned(len(times)))}
    samples.sort(key=lambda sample: (sample[AT], sample[PROGRAM]))
    programs = {
        program: row
        for row, program in enumerate(dict.fromkeys(sample[PROGRAM] for sample in samples))
    }
    branches = np.zeros((len(programs), len(kept)))
    for sample in samples:
        if (column := kept.get(sample[AT])) is not None:
            branches[programs[sample[PROGRAM]], column] = sample.get(RUNNING, 0.0)
    return np.asarray(list(kept)), branches


def _largest(branches: Values) -> tuple[list[int], list[int]]:
    """Rows with the largest sums, in order, and the others."""
    by_size = np.argsort(-branches.sum(axis=1), kind="stable")
    return sorted(by_size[:MOST_PROGRAMS].tolist()), by_size[MOST_PROGRAMS:].tolist()


def _chosen(runs: Sequence[Run], wanted: Callable[[Sample], bool]) -> list[Run]:
    """Runs with such samples at one load, one a system."""
    by: dict[Load, dict[str, Run]] = {}
    for run in runs:
        if any(wanted(sample) for sample in run.timeline):
            by.setdefault(load_of(run), {}).setdefault(run.system, run)
    if not by:
        return []
    best = max(by, key=lambda load: (len(by[load]), [value for _, value in load]))
    return list(by[best].values())


def _thinned(count: int) -> list[int]:
    picks = np.linspace(0, count - 1, min(count, MOST_INSTANTS)).astype(int)
    return [int(i) for i in np.unique(picks)]


def _at(runs: Sequence[Run]) -> str:
    load = load_of(runs[0])
    return f" at {', '.join(f'{name} {value:g}' for name, value in load)}" if load else ""
