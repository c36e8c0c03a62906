"""Plots as inline SVG whose colours are the page's, so that they follow its light and dark theme.

Figures are drawn in the light theme's colours; each is then replaced by the page's variable. The
same data give the same text.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

INK, FAINT = "#1b1f24", "#d0d7de"
SERIES = (
    "#0072b2", "#c44e00", "#00795a", "#a8437f", "#7d6200", "#5b4bb5", "#5f6368", "#0b7f96",
)  # fmt: skip
"""After Okabe and Ito, darkened to a contrast of at least 4:1 on white."""

SERIES_DARK = (
    "#56b4e9", "#ff8a3d", "#2fc99a", "#e79ac6", "#e6c229", "#a79bff", "#b8b8b8", "#5fd3e6",
)  # fmt: skip
MARKERS = "os^Dv<>P"
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
WIDTH_IN, HEIGHT_IN = 5.6, 3.4

STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "dynasor",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9.5,
    "axes.labelsize": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.handlelength": 2.4,
    "legend.borderaxespad": 0.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


class Plot(NamedTuple):
    """A plot with what has to be said of it."""

    title: str
    caption: str
    svg: str


class Look(NamedTuple):
    """How a system is drawn, everywhere on a page."""

    colour: str
    marker: str
    dash: Any


def looks(systems: Iterable[str]) -> dict[str, Look]:
    """A look for every system, in the order in which they are first named; past the number of
    colours, marker and dash tell them apart."""
    return {
        system: Look(
            SERIES[i % len(SERIES)],
            MARKERS[(i + i // len(SERIES)) % len(MARKERS)],
            DASHES[(i + i // len(SERIES)) % len(DASHES)],
        )
        for i, system in enumerate(dict.fromkeys(systems))
    }


@contextmanager
def style() -> Iterator[None]:
    """Everything has to be drawn within: settings are read when things are made."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def figure(rows: int = 1, height_in: float = HEIGHT_IN) -> tuple[Figure, Sequence[Axes]]:
    """An empty figure with ``rows`` panels below each other that share their x axis."""
    made = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    FigureCanvasSVG(made)
    panels = made.subplots(rows, sharex=True, squeeze=False)[:, 0]
    made.patch.set_alpha(0)
    for panel in panels:
        panel.patch.set_alpha(0)
    return made, list(panels)


def legend(made: Figure, panel: Axes) -> None:
    """Above the panels, each label once."""
    handles, labels = panel.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    made.legend(
        list(unique.values()), list(unique), loc="outside upper left", ncols=min(3, len(unique))
    )


def log_scale(panel: Axes, which: Literal["x", "y"], values: Iterable[float]) -> None:
    """Logarithmic, with plain numbers at the ticks; linear where the values are close together."""
    axis = panel.xaxis if which == "x" else panel.yaxis
    above = [value for value in values if 0 < value < math.inf]
    if above and max(above) > 3 * min(above):
        panel.set(**{f"{which}scale": "log"})
        decades = math.log10(max(above) / min(above))
        steps = (
            (1.0,) if decades > 2.5 else (1.0, 2.0, 5.0) if decades > 1 else (1, 1.5, 2, 3, 5, 7)
        )
        axis.set_major_locator(LogLocator(subs=steps))
        axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def percent(axis: Axis) -> None:
    """Shares as percentages."""
    axis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))


def svg(made: Figure, name: str) -> str:
    """The figure as an element to put into a page; ``name``: prefix of all its ids there."""
    buffer = io.StringIO()
    made.savefig(buffer, format="svg", metadata=NO_METADATA, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)
    text = re.sub(r"\s(?:width|height)=\"[0-9.]+pt\"", "", text, count=2)
    text = re.sub(r"\bid=\"", f'id="{name}-', text)
    text = re.sub(r"url\(#", f"url(#{name}-", text)
    text = re.sub(r"xlink:href=\"#", f'href="#{name}-', text)
    text = re.sub(r"font-family: [^;\"]*; ", "", text)
    text = re.sub(r"\n\s*", "\n", text)
    text = re.sub(r"\sxmlns(?::xlink)?=\"[^\"]*\"", "", text)
    for i, colour in enumerate(SERIES):
        text = text.replace(colour, f"var(--c{i})")
    return text.replace(INK, "var(--ink)").replace(FAINT, "var(--line)").strip()
