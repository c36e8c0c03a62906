"""`dynasor replay` on a small recording."""

from __future__ import annotations

import gzip
import json
import random
import re

import pytest

from cluster.cli import main

FIELDS = {"accuracy", "accuracy_full", "tokens_ratio", "disagreement"}


@pytest.fixture
def recording(tmp_path):
    """Easy questions, hopeless ones and one without answers; the right answer is always "1"."""
    rng = random.Random(0)
    lines = []
    for number in range(24):
        said = ["1"] * 12 if number % 2 else [str(rng.randrange(40)) for _ in range(12)]
        if number == 4:
            said = [None] * 12
        samples = [{"answer": one, "tokens": 10, "correct": int(one == "1")} for one in said]
        line = {"id": number, "dataset": "d", "model": "m", "gold": "1", "samples": samples}
        lines.append(json.dumps(line))
    path = tmp_path / "small.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


def replayed(capsys, *arguments):
    assert main(["replay", *map(str, arguments), "--seeds", "3", "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_fixed_n_is_the_full_budget(recording, capsys):
    row = replayed(capsys, recording, "--policy", "even")
    assert row["tokens_ratio"] == 1 and row["disagreement"] == 0
    assert row["accuracy"] == row["accuracy_full"] >= 0.5
    assert (row["questions"], row["seeds"], row["file"]) == (24, 3, recording.name)


@pytest.mark.parametrize("policy", ["value", "beta", "threshold", "window"])
def test_policies_spend_less_and_lose_little(recording, capsys, policy):
    row = replayed(capsys, recording, "--policy", policy)
    assert row.keys() >= FIELDS
    assert row["tokens_ratio"] < 0.9
    assert row["accuracy"] > row["accuracy_full"] - 0.05


def test_value_spends_less_than_beta(recording, capsys):
    value, beta = (replayed(capsys, recording, "--policy", name) for name in ("value", "beta"))
    assert value["tokens_ratio"] < beta["tokens_ratio"]


def test_a_contract_that_can_not_be_proven_changes_no_answer(recording, capsys):
    row = replayed(capsys, recording, "--max-disagreement", "0.01")
    assert row["disagreement"] == 0 and row["tokens_ratio"] < 1


def test_prices_save_tokens_and_room_saves_rounds(recording, capsys):
    plain = replayed(capsys, recording)
    assert replayed(capsys, recording, "--price", "0.01")["tokens_ratio"] < plain["tokens_ratio"]
    assert replayed(capsys, recording, "--room", "32")["rounds"] < plain["rounds"]


def test_parameters_reach_the_policy(recording, capsys):
    plain = replayed(capsys, recording, "--policy", "beta")
    bold = replayed(capsys, recording, "--policy", "beta", "--params", '{"confidence": 0.6}')
    assert bold["tokens_ratio"] < plain["tokens_ratio"]


def test_processes_change_nothing(recording, capsys):
    assert replayed(capsys, recording, "--jobs", "2") == replayed(capsys, recording)


def test_several_files_get_a_row_each_and_a_mean(recording, capsys):
    assert main(["replay", str(recording), str(recording), "--seeds", "1"]) == 0
    shown = capsys.readouterr().out
    assert shown.count("small ") == 2 and "geometric mean" in shown


def test_plain_json_lines_do_as_well(recording, tmp_path, capsys):
    plain = tmp_path / "plain.jsonl"
    plain.write_bytes(gzip.decompress(recording.read_bytes()))
    assert replayed(capsys, plain, "--policy", "even")["questions"] == 24


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no question"),
        ("{", "line 1"),
        ('\n{"samples": 3}', "line 2.*samples"),
        ('{"id": 1}', "line 1.*samples"),
        ('{"samples": []}', "line 1.*length"),
        ('{"samples": [{"answer": 5, "tokens": 1, "correct": 1}]}', r"line 1.*answer"),
        ('{"samples": [{"answer": "5", "tokens": -1, "correct": 1}]}', r"line 1.*tokens"),
        ('{"samples": [{"answer": "5", "tokens": 1}]}', r"line 1.*correct"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, capsys, text, message):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    assert main(["replay", str(path)]) == 1
    error = capsys.readouterr().err
    assert "bad.jsonl" in error
    assert re.search(message, error), error


def test_a_missing_file_and_a_broken_one_are_refused(tmp_path, capsys):
    assert main(["replay", str(tmp_path / "none.jsonl.gz")]) == 1
    assert "No such file" in capsys.readouterr().err
    broken = tmp_path / "broken.jsonl.gz"
    broken.write_bytes(gzip.compress(b"{}" * 1000)[:20])
    assert main(["replay", str(broken)]) == 1
    assert "broken.jsonl.gz" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--policy", "none"], "known: beta"),
        (["--policy", "beta", "--params", '{"confidence": 2}'], "confidence"),
        (["--policy", "beta", "--params", '{"knob": 2}'], "knob"),
    ],
)
def test_bad_policies_are_refused(recording, capsys, arguments, message):
    assert main(["replay", str(recording), *arguments]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--params", "[]"],
        ["--params", "{"],
        ["--max-disagreement", "1.5"],
        ["--max-disagreement", "nan"],
        ["--seeds", "0"],
        ["--price", "-1"],
        ["--jobs", "x"],
    ],
)
def test_bad_arguments_are_refused(recording, capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(["replay", str(recording), *arguments])
    assert caught.value.code == 2
    assert arguments[0] in capsys.readouterr().err
