"""`dynasor record` against a cluster in memory."""

from __future__ import annotations

import gzip
import json

import pytest

from cluster.cli import main
from cluster.models.abacus.problems import make_problems
from cluster.models.abacus.reasoner import THINK_HARD
from cluster.workload.files import read_recording
from dynasor.replay.recording import ROOT, Chain, Probe, Sample, Step


@pytest.fixture
def out(tmp_path):
    return tmp_path / "small.jsonl.gz"


def record(out, *arguments):
    small = ("--levels", "1-2:2,9:1", "--samples", "5", "--chains", "2", "--clients", "1")
    return main(["record", "--out", str(out), *small, *map(str, arguments)])


def test_records_samples_chains_and_a_tree(cluster, out):
    assert record(out) == 0
    questions = read_recording(out)
    assert [question.level for question in questions] == [1, 2, 9, 1, 2]
    first = questions[0]
    problem = make_problems(1, 2, 0)[0]
    assert (first.prompt, first.gold) == (problem.text, str(problem.answer))
    assert (first.id, first.dataset, first.model) == ("abacus-1-0-0", "abacus", "abacus")
    assert first.prompt_tokens == 33
    assert len(first.samples) == 5 and len(first.chains) == 2 and len(first.steps) == 3


def test_every_question_is_asked_once_for_samples_then_chains_then_a_tree(cluster, out):
    assert record(out) == 0
    assert cluster.algorithms[:4] == ["best_of_n", *2 * ["chain_of_thought"], "rebase"]
    assert len(cluster.bodies) == 5 * 4
    samples, chain, _, tree = cluster.bodies[:4]
    assert {body["program"]["policy"] for body in cluster.bodies} == {"even"}
    assert samples["program"]["max_branches"] == 5 and tree["program"]["width"] == 16
    assert [message["content"] for message in samples["messages"]] == [
        make_problems(1, 1, 0)[0].text
    ]
    assert chain["messages"][0] == {"role": "system", "content": THINK_HARD}


@pytest.fixture
def given(tmp_path):
    """A file with one question, whose answer is what the cluster says."""
    path = tmp_path / "given.jsonl"
    line = {"id": "q", "dataset": "d", "prompt": "What is 14 / 2?", "gold": 7, "level": 3}
    path.write_text(json.dumps(line) + "\n")
    return path


def test_equal_answers_get_equal_strings_and_are_graded(cluster, given, out):
    assert record(out, "--questions", given) == 0
    (question,) = read_recording(out)
    assert (question.id, question.dataset, question.level, question.gold) == ("q", "d", 3, "7")
    right, wrong = ("7", True), ("8", False)
    assert [(one.answer, one.correct) for one in question.samples] == [
        right, wrong, right, (None, False), right,
    ]  # fmt: skip
    assert question.samples[1] == Sample("8", 11, False, confidence=0.9123, reward=0.25)


def test_a_long_chain_has_its_trial_answers_where_they_were_asked(cluster, given, out):
    assert record(out, "--questions", given) == 0
    (question,) = read_recording(out)
    probes = (Probe(20, "8", 3, 0.5), Probe(40, "7", 3, 1.0))
    assert question.chains[0] == Chain(tokens=56, answer="7", correct=True, probes=probes)
    assert all(len(body["messages"]) == 1 for body in cluster.bodies), "no system message"


def test_a_tree_has_its_steps_with_rewards_and_without_what_was_taken_back(cluster, given, out):
    assert record(out, "--questions", given) == 0
    (question,) = read_recording(out)
    assert question.steps == (
        Step(ROOT, 9, 0.9, "step"),
        Step(ROOT, 256, None, "length"),
        Step(0, 5, 1.0, "stop", "7", correct=True),
    )


def test_without_a_reward_model_samples_are_not_judged_and_there_is_no_tree(cluster, out):
    cluster.scorers = 0
    assert record(out) == 0
    assert set(cluster.algorithms) == {"self_consistency", "chain_of_thought"}
    first = read_recording(out)[0]
    assert first.steps == () and first.samples[0].reward is None
    assert first.samples[0].confidence == 0.9123


def test_goes_on_where_it_was_interrupted(cluster, out, capsys):
    cluster.fails_after = 9
    assert record(out) == 1
    assert "abacus-9-0-0" in (said := capsys.readouterr().err)
    assert "no engine replica" in said and "goes on after 2 questions" in said
    part = out.with_name(out.name + ".part")
    part.write_bytes(part.read_bytes() + b'{"id":"abacus-9-0-0","data')
    assert not out.exists()
    cluster.fails_after = None
    cluster.bodies.clear()
    assert record(out) == 0
    assert len(cluster.bodies) == 3 * 4 and not part.exists()
    assert [question.level for question in read_recording(out)] == [1, 2, 9, 1, 2]
    about = json.loads(out.with_name("small.json").read_text())
    assert [one["questions"] for one in about["runs"]] == [2, 3]
    assert "versions" in about and not any("versions" in one for one in about["runs"])


def test_a_recording_under_way_keeps_its_settings(cluster, out, capsys):
    cluster.fails_after = 9
    record(out)
    assert record(out, "--width", 8) == 1
    assert "begun with width 16, this is 8" in capsys.readouterr().err


def test_the_same_answers_give_the_same_file_whatever_the_order(cluster, tmp_path):
    files = [tmp_path / name for name in ("one.jsonl.gz", "other.jsonl.gz")]
    assert record(files[0]) == 0
    assert record(files[1], "--clients", 3) == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    line = gzip.decompress(files[0].read_bytes()).splitlines()[0]
    assert line.startswith(b'{"id":"abacus-1-0-0","dataset":"abacus"')


def test_says_where_a_recording_comes_from(cluster, out):
    assert record(out) == 0
    about = json.loads(out.with_name("small.json").read_text())
    assert about["command"].startswith("dynasor ") and about["started"] and about["machine"]
    assert "python" in about["versions"]
    assert about["settings"]["samples"] == 5 and about["settings"]["model"] == "abacus"
    assert about["totals"]["questions"] == 5 and about["totals"]["samples"] == 25
    assert about["totals"]["probes"] == 5 * 2 * 2 and about["totals"]["steps"] == 15


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--questions", "missing.jsonl"), "missing.jsonl: No such file"),
        (("--trees", "1"), "--trees 1 needs a cluster with a reward model"),
    ],
)
def test_what_can_not_be_recorded_is_named(cluster, out, capsys, arguments, words):
    cluster.scorers = 0
    assert record(out, *arguments) == 1
    assert words in capsys.readouterr().err and not out.exists()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({"prompt": "What?"}, "line 1: Object missing required field `gold`"),
        ({"prompt": " ", "gold": "1"}, "line 1: prompt must not be empty"),
        ([], "line 1: Expected `object`"),
    ],
)
def test_a_bad_line_of_questions_is_named(cluster, tmp_path, out, capsys, line, words):
    path = tmp_path / "bad.jsonl"
    path.write_text(json.dumps(line))
    assert record(out, "--questions", path) == 1
    assert words in capsys.readouterr().err


def test_questions_need_names_of_their_own(cluster, tmp_path, out, capsys):
    path = tmp_path / "twice.jsonl"
    path.write_text(2 * '{"id": 1, "prompt": "What?", "gold": "1"}\n')
    assert record(out, "--questions", path) == 1
    assert "id must be unique, got '1' more than once" in capsys.readouterr().err


def test_a_program_that_was_cut_is_no_recording(cluster, out, capsys):
    cluster.stop = "budget"
    assert record(out) == 1
    assert "ended before it was complete: budget" in capsys.readouterr().err


def test_nothing_is_written_over(cluster, out, capsys):
    out.write_bytes(b"precious")
    assert record(out) == 1
    assert "exists" in capsys.readouterr().err and out.read_bytes() == b"precious"


@pytest.mark.parametrize("levels", ["0", "8-1", "1-99", "", "1:0", "x", "1-2:"])
def test_levels_are_checked(levels, capsys):
    with pytest.raises(SystemExit):
        main(["record", "--out", "a.jsonl.gz", "--levels", levels])
    assert "must be levels from 1 to 64 such as 3, 1-8" in capsys.readouterr().err


def test_the_name_of_the_file_says_what_it_is(capsys):
    with pytest.raises(SystemExit):
        main(["record", "--out", "recording.json"])
    assert "must end in .jsonl.gz" in capsys.readouterr().err
