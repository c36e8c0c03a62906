"""A benchmark's document as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cluster.bench.reports import tables
from cluster.bench.reports.canvas import SERIES, SERIES_DARK, Plot, looks, style
from cluster.bench.reports.document import Document
from cluster.bench.reports.figures import Figures, figures
from cluster.bench.reports.measures import KINDS
from cluster.bench.reports.plots import curves, latencies, pareto
from cluster.bench.reports.sweeps import sweeps
from cluster.bench.reports.timelines import lanes, timelines

TEMPLATE = "page.html.j2"


def page(document: Document) -> str:
    """The page; only what there are data for is on it."""
    environment = Environment(
        loader=PackageLoader("cluster.bench.reports", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(goal=tables.goal, Markup=Markup)
    found = figures(document.runs)
    colours = {
        system: SERIES.index(look.colour) for system, look in looks(_systems(document)).items()
    }
    return environment.get_template(TEMPLATE).render(
        document=document,
        settings=tables.flat(document.settings),
        colours=colours,
        light=SERIES,
        dark=SERIES_DARK,
        sections=list(_sections(document, found)),
        header=tables.HEADER,
        rows=[(one.system, tables.cells(one)) for one in found],
        legend=tables.LEGEND,
    )


def _sections(document: Document, found: Sequence[Figures]) -> Iterator[tuple[str, list[Plot]]]:
    """Headings with their plots."""
    drawn = looks(_systems(document))
    with style():
        lines = list(curves(found, drawn))
        sections = {
            "Accuracy and tokens": list(pareto(found, drawn)),
            "Against load": [*lines, *sweeps(document, drawn, KINDS if lines else ())],
            "Latency": list(latencies(document.runs, drawn)),
            "Over time": [*timelines(document.runs, drawn), *lanes(document.runs)],
        }
    yield from ((title, plots) for title, plots in sections.items() if plots)


def _systems(document: Document) -> list[str]:
    return [run.system for run in document.runs]
