"""What the options of a comparison say."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from cluster.bench.systems.options import Plan, add_system_options, plan
from cluster.cli.errors import CliError
from tests.cluster.bench.systems.stands import write_questions

MIX = "cluster/bench/mix.yaml"


def planned(tmp_path: Path, *options: str) -> Plan:
    parser = argparse.ArgumentParser()
    add_system_options(parser)
    questions = write_questions(tmp_path / "questions.jsonl")
    args = parser.parse_args(["--questions", str(questions), *options])
    args.seed = 0
    return plan(args, tmp_path / "systems")


def test_the_peer_is_the_reference_where_it_takes_part(tmp_path: Path):
    assert planned(tmp_path).reference.name == "ray-serve-llm"
    assert planned(tmp_path, "--systems", "value,even").reference.name == "even"
    assert planned(tmp_path, "--systems", "value,beta").reference.name == "value"


def test_the_mix_that_ships_can_be_asked_of_policies_but_not_of_the_peer(tmp_path: Path):
    mixed = planned(tmp_path, "--mix", MIX, "--systems", "even,beta,value")
    assert len({kind.program["algorithm"] for kind in mixed.workload.kinds}) >= 4
    with pytest.raises(CliError, match="vote"):
        planned(tmp_path, "--mix", MIX, "--systems", "ray-serve-llm")


def test_what_runs_already_is_not_started(tmp_path: Path):
    chosen = planned(tmp_path, "--url", "http://a:1/", "--peer-url", "http://b:2", "--in-turn")
    with chosen.stage as stage:
        assert stage.url("dynasor") == "http://a:1"
        assert stage.url("ray-serve-llm") == "http://b:2"
    assert not stage.together


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--systems", "nobody"), "nobody"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--questions", "nowhere.jsonl"), "nowhere.jsonl"),
        (("--mix", "nowhere.yaml"), "nowhere.yaml"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, options: tuple[str, ...], reason: str):
    with pytest.raises(CliError, match=reason):
        planned(tmp_path, *options)


def test_questions_need_text_and_answer(tmp_path: Path):
    path = tmp_path / "bare.jsonl"
    path.write_text('{"samples": [{"answer": "1", "tokens": 1, "correct": true}]}')
    with pytest.raises(CliError, match="'prompt' and 'gold'"):
        planned(tmp_path, "--questions", str(path))
