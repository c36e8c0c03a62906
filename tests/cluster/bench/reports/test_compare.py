"""`dynasor bench compare`: its exit status and what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cluster.bench.reports.document import Document, Measure
from cluster.bench.reports.report import write_report
from cluster.cli import main


def document(value: float, **changes: Any) -> Document:
    accuracy = Measure(name="m", value=value, low=value - 0.1, high=value + 0.1, better="higher")
    plain = {
        "bench": "online",
        "command": "dynasor bench online",
        "started": "2026-01-02T03:04:05+00:00",
        "versions": {"vllm": "1.0"},
        "measures": (accuracy,),
    }
    return Document(**{**plain, **changes})


def compared(tmp_path: Path, before: Document, after: Document, *options: str) -> int:
    write_report(before, tmp_path / "a")
    write_report(after, tmp_path / "b")
    return main(["bench", "compare", str(tmp_path / "a"), str(tmp_path / "b"), *options])


@pytest.mark.parametrize(("after", "status"), [(1.0, 0), (2.0, 0), (0.5, 1)])
def test_only_what_got_worse_fails(tmp_path: Path, after: float, status: int) -> None:
    assert compared(tmp_path, document(1.0), document(after)) == status


def test_a_changed_version_is_a_headline(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after = document(1.0, versions={"vllm": "2.0"}, settings={"load": {"rate": 2}}, machine={})
    compared(tmp_path, document(1.0, settings={"load": {"rate": 1}}), after)
    text = capsys.readouterr().out
    assert "VERSION CHANGED: vllm: 1.0 -> 2.0" in text
    assert "other settings: load.rate: 1 -> 2" in text
    assert "1 of 1 measures: no change beyond noise." in text


def test_how_busy_a_machine_was_makes_no_other_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machines = [{"cpu": "x", "load average at the start": busy} for busy in (0.1, 1.9)]
    compared(tmp_path, *(document(1.0, machine=machine) for machine in machines))
    assert "other machine" not in capsys.readouterr().out


def test_measures_that_only_one_has_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compared(tmp_path, document(1.0), document(1.0, measures=()))
    assert "Only in the first report: m." in capsys.readouterr().out


def test_json_has_no_nan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nan = float("nan")
    unknown = Measure(name="m", value=nan, low=nan, high=nan)
    status = compared(tmp_path, document(1.0), document(1.0, measures=(unknown,)), "--json")
    printed = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert status == 0
    assert printed["changes"][0]["after"] is None
    assert printed["changes"][0]["verdict"] == "unclear"


def test_other_benchmarks_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compared(tmp_path, document(1.0), document(1.0, bench="batch")) == 2
    message = capsys.readouterr().err
    assert "'online'" in message
    assert "'batch'" in message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("hello", "Invalid JSON"),
        ('{"bench": "online"}', "Field required"),
        ('{"bench": 1, "command": "", "started": ""}', "bench"),
    ],
)
def test_files_that_are_no_reports_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, reason: str
) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)
    assert main(["bench", "compare", str(file), str(file)]) == 2
    message = capsys.readouterr().err
    assert str(file) in message
    assert reason in message


def test_a_missing_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "compare", str(tmp_path), str(tmp_path)]) == 2
    assert "report.json" in capsys.readouterr().err
