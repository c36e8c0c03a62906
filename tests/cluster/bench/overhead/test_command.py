"""The command's options, with a stand-in for the measuring."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from cluster.bench.overhead import command, session
from cluster.bench.overhead.closed_loop import Round
from cluster.bench.overhead.session import Plan
from cluster.bench.reports.report import read_report
from cluster.cli.errors import CliError


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    return parser.parse_args(["overhead", *arguments])


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    made: list[Plan] = []

    def measure(plan: Plan, say: object) -> list[Round]:
        made.append(plan)
        speeds = {"dynasor": 90, "direct": 100}
        return [
            Round(name, concurrency, 0, 1.0, 0.1, speed, (0.1, 0.2))
            for concurrency in plan.concurrency
            for name, speed in speeds.items()
        ]

    monkeypatch.setattr(session, "measure", measure)
    return made


def test_writes_a_report_and_fails_on_a_missed_goal(plans, tmp_path: Path, capsys):
    assert command.run(parse("--out", str(tmp_path), "--seed", "3")) == 1
    assert plans[0].systems == ("dynasor", "ray-serve-llm", "direct")
    assert plans[0].concurrency == (1, 8, 64, 128)
    document = read_report(tmp_path)
    assert document.bench == "overhead" and document.seeds == (3,)
    assert document.settings["tokens"] == 64
    assert any(one.met is False for one in document.measures)
    assert (tmp_path / "index.html").is_file()
    assert "0.95 MISSED" in capsys.readouterr().out


def test_a_smoke_run_is_small_and_has_no_goals(plans, tmp_path: Path):
    assert command.run(parse("--smoke", "--concurrency", "64", "--out", str(tmp_path))) == 0
    assert plans[0].systems == ("dynasor", "direct")
    assert plans[0].rounds == 1


def test_what_runs_already_is_not_started(plans, tmp_path: Path):
    there = ("--url", "http://one:8000/", "--peer-url", "http://other")
    command.run(parse(*there, "--smoke", "--out", str(tmp_path)))
    assert plans[0].urls == {"dynasor": "http://one:8000", "ray-serve-llm": "http://other"}


def test_an_unknown_system_is_named_with_those_known(plans, tmp_path: Path):
    with pytest.raises(CliError, match=r"'other' is not known; known are dynasor, ray-serve-llm"):
        command.run(parse("--systems", "dynasor,other", "--out", str(tmp_path)))
