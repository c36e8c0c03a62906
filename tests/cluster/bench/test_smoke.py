"""Every benchmark at its smoke size writes a report that is one (`make test-slow`)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cluster.bench.reports.report import read_report

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

BENCHES = ("batch", "online", "overhead", "scale", "fidelity")


@pytest.mark.parametrize("bench", BENCHES)
def test_a_smoke_run_reports(bench: str, tmp_path: Path) -> None:
    dynasor = [sys.executable, "-m", "cluster.cli", "bench"]
    done = subprocess.run(
        [*dynasor, bench, "--smoke", "--out", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    report = read_report(tmp_path)
    assert report.bench == bench
    assert report.command.startswith(f"dynasor bench {bench} --smoke")
    assert report.measures
    assert {"python", "ray"} <= set(report.versions)
    assert str(tmp_path) not in (tmp_path / "report.json").read_text()
    page = (tmp_path / "index.html").read_text()
    served = any(run.served for run in report.runs)
    for section in ("measures", "environment", *(["runs"] if served else [])):
        assert f'<section id="{section}">' in page
    compared = [*dynasor, "compare", str(tmp_path), str(tmp_path)]
    assert subprocess.run(compared, check=False, capture_output=True).returncode == 0
