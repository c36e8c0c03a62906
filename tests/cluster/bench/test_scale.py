"""`dynasor bench scale`: every size gets the same loads per replica, and figures of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.bench.reports.report import read_report
from cluster.bench.scale.cluster import cluster
from cluster.bench.scale.command import PROFILE
from cluster.cli import main
from tests.cluster.sim.small import profile


def test_every_size_has_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engines, out = profile(tmp_path), tmp_path / "out"
    options = ["--profile", str(engines), "--sizes", "4,1", "--loads", "3,0.3", "--out", str(out)]
    assert main(["bench", "scale", "--smoke", *options]) == 0
    assert "efficiency" in capsys.readouterr().out
    report = read_report(out)
    values = {measure.name: measure.value for measure in report.measures}
    assert values["scale/value/1/3/efficiency"] == 1.0
    assert 0.5 < values["scale/value/4/3/efficiency"] < 1.5
    assert "scale/value/4/0.3/efficiency" not in values
    assert values["scale/value/4/3/core_share"] > 0
    assert values["scale/value/4/3/p90_s"] > values["scale/value/4/0.3/p90_s"]
    loads = [(run.load["replicas"], run.load["load"]) for run in report.runs]
    assert loads == [(1, 0.3), (1, 3), (4, 0.3), (4, 3)]


def test_the_load_grows_with_the_cluster() -> None:
    small = cluster(PROFILE, "even", 2, 1.5, 100, 0)
    large = cluster(PROFILE, "even", 8, 1.5, 400, 0)
    rates = [one.workload.arrivals.mean_rate for one in (small, large)]
    assert rates[1] == pytest.approx(4 * rates[0], rel=0.01)
    assert (small.replicas, large.replicas) == (2, 8)


@pytest.mark.parametrize("option", ["--policy", "--profile"])
def test_unknown_names_are_refused(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "scale", "--smoke", option, "none"]) == 1
    assert "'none'" in capsys.readouterr().err
