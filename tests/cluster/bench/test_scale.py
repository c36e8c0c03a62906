"""`dynasor bench scale`: every size gets the same load per replica, and figures of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.bench import scale
from cluster.bench.reports.report import read_report
from cluster.cli import main
from tests.cluster.sim.small import profile


def test_every_size_has_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engines, out = profile(tmp_path), tmp_path / "out"
    options = ["--profile", str(engines), "--rate", "0.3", "--sizes", "4,1", "--out", str(out)]
    assert main(["bench", "scale", "--smoke", *options]) == 0
    assert "efficiency" in capsys.readouterr().out
    report = read_report(out)
    values = {measure.name: measure.value for measure in report.measures}
    assert values["scale/value/1/efficiency"] == 1.0
    assert values["scale/value/4/efficiency"] > 0
    assert values["scale/value/4/core_share"] > 0
    assert [run.load["replicas"] for run in report.runs] == [1, 4]


def test_the_load_grows_with_the_cluster() -> None:
    small = scale.load(scale.PROFILE, "even", 2, 1.5, 100, 0)
    large = scale.load(scale.PROFILE, "even", 8, 1.5, 400, 0)
    assert small.workload.arrivals.mean_rate * 4 == large.workload.arrivals.mean_rate == 12
    assert (small.replicas, large.replicas) == (2, 8)


@pytest.mark.parametrize("option", ["--policy", "--profile"])
def test_unknown_names_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "scale", "--smoke", option, "none"]) == 1
    assert "'none'" in capsys.readouterr().err
