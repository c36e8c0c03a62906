"""Writes the report of a comparison of systems, and shows it in the terminal."""

from __future__ import annotations

from pathlib import Path

from cluster.bench.reports.document import Document
from cluster.bench.reports.figures import figures
from cluster.bench.reports.report import write_report
from cluster.bench.reports.tables import LEGEND, measure_table, overview


def report(document: Document, directory: Path) -> None:
    """Write it, and print its figures, its notes, and where it is."""
    write_report(document, directory)
    print(overview(figures(document.runs)))
    print(f"\n{LEGEND}\n")
    single = [one for one in document.measures if one.name.count("/") == 2]
    print(measure_table(single))
    print("".join(f"\n- {note}" for note in document.notes))
    print(f"\n{directory}/index.html")
