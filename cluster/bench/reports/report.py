"""A benchmark's document on disk: report.json for programs, index.html for people."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from cluster.bench.reports.document import Document

JSON_NAME, HTML_NAME = "report.json", "index.html"


def write_report(document: Document, directory: Path) -> None:
    """Write both files; the directory is made, older ones in it are replaced.

    Fields with their default value are left out of the JSON; nan is the string "NaN" in it.
    """
    # Here, for plots are slow to import and not needed to read a report.
    from cluster.bench.reports.page import page

    directory.mkdir(parents=True, exist_ok=True)
    (directory / JSON_NAME).write_text(
        document.model_dump_json(exclude_defaults=True) + "\n", encoding="utf-8"
    )
    (directory / HTML_NAME).write_text(page(document), encoding="utf-8")


def read_report(path: Path) -> Document:
    """Read a report.json, or the one in a directory.

    Raises:
        ValueError: there is none, or it is no report; the text says which file and why.
    """
    file = path / JSON_NAME if path.is_dir() else path
    try:
        return Document.model_validate_json(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        reason = f"{where}: {first['msg']}" if where else first["msg"]
        raise ValueError(f"{file}: no report of a benchmark: {reason}") from None
