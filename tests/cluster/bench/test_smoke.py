"""Every benchmark at its smoke size writes a report that is one (`make test-slow`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.bench.reports.report import read_report
from cluster.bench.smoke.command import SERVED, SIMULATED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DYNASOR = [sys.executable, "-m", "cluster.cli", "bench"]


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them have written theirs."""
    folder = tmp_path_factory.mktemp("smoke")
    command = [*DYNASOR, "smoke", "--out", str(folder)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return folder


@pytest.mark.parametrize("bench", SERVED + SIMULATED)
def test_a_smoke_run_reports(bench: str, reports: Path) -> None:
    folder = reports / bench
    report = read_report(folder)
    assert report.bench == bench
    assert report.command.startswith(f"dynasor bench {bench} --smoke")
    assert report.measures
    assert {"python", "ray"} <= set(report.versions)
    assert str(folder) not in (folder / "report.json").read_text()
    page = (folder / "index.html").read_text()
    served = any(run.served for run in report.runs)
    for section in ("measures", "environment", *(["runs"] if served else [])):
        assert f'<section id="{section}">' in page
    compared = [*DYNASOR, "compare", str(folder), str(folder)]
    assert subprocess.run(compared, check=False, capture_output=True).returncode == 0
