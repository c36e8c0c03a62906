"""`dynasor simulate`: options go over the file, and figures come again; reports are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from cluster.bench.reports.report import read_report
from cluster.cli import main
from tests.cluster.sim.small import VOTE, profile


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "sim.yaml"
    document = {
        "simulation": {"profile": profile(tmp_path).name, "replicas": 2},
        "workload": {
            "questions": {"parametric": {"questions": 20, "tokens": 60}},
            "arrivals": {"process": "poisson", "rate": 5},
            "queries": 500,
            "kinds": [VOTE],
        },
    }
    path.write_text(yaml.safe_dump(document))
    return path


def simulated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, float]]:
    assert main(["simulate", *arguments, "--json"]) == 0
    found: dict[str, dict[str, float]] = json.loads(capsys.readouterr().out)["simulated"]
    return found


def test_policies_are_compared_and_figures_come_again(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (str(file), "--queries", "30", "--policy", "even", "--policy", "beta")
    found = simulated(capsys, *options)
    assert list(found) == ["even", "beta"]
    assert all(figures["answered"] == 30 for figures in found.values())
    assert found["beta"]["tokens"] <= found["even"]["tokens"]
    assert simulated(capsys, *options) == found
    assert simulated(capsys, *options, "--seed", "5") != found


def test_rate_and_replicas_go_over_the_file(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = (str(file), "--queries", "40", "--policy", "even", "--rate", "100")
    few, many = simulated(capsys, *options), simulated(capsys, *options, "--replicas", "8")
    assert many["even"]["mean_s"] < few["even"]["mean_s"]


def test_a_recording_takes_the_place_of_the_questions(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [{"answer": "1", "tokens": 50, "correct": True}] * 3
    recording = tmp_path / "one.jsonl"
    recording.write_text(json.dumps({"id": "one", "gold": "1", "samples": samples}))
    options = (str(file), "--queries", "10", "--questions", str(recording), "--policy", "even")
    found = simulated(capsys, *options)
    assert found["even"]["accuracy"] == 1.0
    assert found["even"]["tokens"] == 8 * 50


def test_a_table_and_a_report(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(["simulate", str(file), "--queries", "20", "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "right answers" in shown and "core: P99 of a call" in shown
    report = read_report(out)
    assert report.bench == "simulate" and len(report.runs[0].served) == 20
    assert {measure.name.split("/")[2] for measure in report.measures} >= {"accuracy", "p90_s"}
    assert any("program" in sample for sample in report.runs[0].timeline)


def test_what_is_wrong_is_said_in_one_line(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(file), "--policy", "none"]) == 1
    assert "unknown policy 'none'" in capsys.readouterr().err
    assert main(["simulate", "absent.yaml"]) == 1
    assert capsys.readouterr().err == "dynasor: absent.yaml: No such file or directory\n"


def test_a_report_does_not_go_where_a_file_is(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["simulate", str(file), "--out", str(file)])
    assert "--out: must be a directory" in capsys.readouterr().err


def test_repeats_say_what_figures_vary_by(file: Path, tmp_path: Path) -> None:
    options = ["--queries", "20", "--policy", "even", "--repeats", "3"]
    reports = []
    for seed in ("0", "3"):
        out = tmp_path / seed
        assert main(["simulate", str(file), *options, "--seed", seed, "--out", str(out)]) == 0
        reports.append(out)
    report = read_report(reports[0])
    assert report.seeds == (0, 1, 2) and len(report.runs) == 3
    (latency,) = [one for one in report.measures if one.name == "simulate/even/p90_s"]
    assert len(latency.repeats) == 3 and latency.low < latency.value < latency.high
    assert main(["bench", "compare", *map(str, reports)]) in (0, 1)


def test_a_load_is_a_multiple_of_what_even_sustains(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = (str(file), "--queries", "300", "--policy", "even")
    calm = simulated(capsys, *options, "--load", "0.4")["even"]
    full = simulated(capsys, *options, "--load", "3")["even"]
    more = simulated(capsys, *options, "--load", "3", "--replicas", "4")["even"]
    assert full["waiting"] > 0 == calm["waiting"]
    assert more["queries_per_s"] > 1.5 * full["queries_per_s"]
