"""The policy comparison against a server in memory."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from cluster.bench import client, policies
from cluster.bench.jobs import plan
from cluster.bench.options import levels, names, natural, positive
from cluster.bench.trials import Comparison, Trial

Reply = Callable[[dict[str, Any]], httpx.Response]


def answered(answer: str | None, tokens: int, branches: int = 2) -> httpx.Response:
    program = {
        "answer": answer,
        "certaindex": 0.75,
        "stop": "certain",
        "tokens": {"generated": tokens},
        "branches": [{"runs": 1}] * branches + [{"runs": 0}],
    }
    return httpx.Response(200, json={"choices": [], "program": program})


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Reply], list[dict[str, Any]]]:
    """Makes the benchmark talk to a function; returns the bodies it was sent."""

    def start(reply: Reply) -> list[dict[str, Any]]:
        bodies: list[dict[str, Any]] = []

        def handle(request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json={"data": [{"id": "abacus"}]})
            bodies.append(json.loads(request.content))
            return reply(bodies[-1])

        transport = httpx.MockTransport(handle)
        monkeypatch.setattr(policies, "connect", lambda url, n: client.connect(url, n, transport))
        return bodies

    return start


def solve(body: dict[str, Any]) -> str:
    """The right answer to the question in a request."""
    problems = [job.problem for job in plan(8, (1, 2), ("even",), 5)]
    text = body["messages"][0]["content"]
    return str(next(problem.answer for problem in problems if problem.text == text))


OPTIONS = ["--problems", "8", "--levels", "1-2", "--concurrency", "3", "--seed", "5"]


def test_report_and_file(serve, capsys, tmp_path):
    def reply(body: dict[str, Any]) -> httpx.Response:
        even = body["program"]["policy"] == "even"
        return answered(solve(body) if even else "-1", 400 if even else 100, 4 if even else 1)

    bodies = serve(reply)
    out = tmp_path / "results.json"
    assert policies.main([*OPTIONS, "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "16 of 16 requests, 0 failed" in text
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    assert rows[0][:5] == ["policy", "accuracy", "total tokens", "tokens / even", "mean branches"]
    assert rows[2][:5] == ["even", "100.0%", "3,200", "1.000", "4.0"]
    assert rows[3][:5] == ["threshold", "0.0%", "800", "0.250", "1.0"]
    assert rows[3][7] == "0.750"
    assert rows[4] == [
        "level", "problems", "accuracy even", "accuracy threshold", "tokens threshold / even",
    ]  # fmt: skip
    assert rows[6] == ["1", "4", "100.0%", "0.0%", "0.250"]
    assert "accuracy -100.0 (95%: -100.0 to -100.0) points" in text
    assert "tokens times 0.250 (95%: 0.250 to 0.250)" in text

    document = json.loads(out.read_text())
    assert document["summary"]["threshold"]["token_ratio"]["value"] == 0.25
    assert len(document["trials"]) == 16
    assert document["arguments"]["seed"] == 5
    assert bodies[0]["program"] == {
        "algorithm": "self_consistency",
        "max_branches": 16,
        "policy": "even",
    }
    assert bodies[0]["temperature"] == 1.0


def test_failures_are_reported_counted_and_exit_with_1(serve, capsys, tmp_path):
    def reply(body: dict[str, Any]) -> httpx.Response:
        if body["program"]["policy"] == "threshold" and solve(body) == first:
            return httpx.Response(429, json={"error": {"message": "overloaded"}})
        return answered(solve(body), 100)

    first = str(next(plan(8, (1, 2), ("even",), 5)).problem.answer)
    serve(reply)
    out = tmp_path / "results.json"
    assert policies.main([*OPTIONS, "--out", str(out)]) == 1
    text = capsys.readouterr().out
    assert "requests FAILED" in text
    assert "problem 0 under threshold: HTTP 429" in text
    assert "overloaded" in text
    failures = json.loads(out.read_text())["failures"]
    assert failures[0]["under"] == "threshold"
    assert f"{8 - len(failures)} problems answered under every policy" in text


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, text="<html>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json={"program": {"answer": "1"}}),
    ],
)
def test_unusable_responses_are_failures(serve, response, capsys):
    serve(lambda body: response)
    assert policies.main([*OPTIONS]) == 1
    text = capsys.readouterr().out
    assert "16 requests FAILED" in text
    assert "0 problems answered under every policy" in text


def test_no_server_is_said_at_once(capsys):
    assert policies.main(["--url", "http://127.0.0.1:9"]) == 1
    assert "policies: http://127.0.0.1:9: " in capsys.readouterr().err


def test_plan_gives_every_policy_the_same_problems_over_all_levels():
    jobs = list(plan(10, (1, 3, 8), ("even", "threshold"), 0))
    texts = {
        policy: [job.problem.text for job in jobs if job.under == policy]
        for policy in ("even", "threshold")
    }
    assert texts["even"] == texts["threshold"]
    assert [job.problem.level for job in jobs if job.under == "even"] == [
        1, 3, 8, 1, 3, 8, 1, 3, 8, 1,
    ]  # fmt: skip
    assert len(set(texts["even"])) == 10


@pytest.mark.parametrize("of", [(1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)])
def test_plan_lets_each_policy_begin_equally_often_at_each_level(of):
    jobs = list(plan(4 * len(of), of, ("a", "b"), 0))
    first = [pair[0] for pair in zip(jobs[::2], jobs[1::2], strict=True)]
    for level in of:
        begins = [job.under for job in first if job.problem.level == level]
        assert begins.count("a") == begins.count("b") == 2


def test_comparison_counts_only_problems_that_all_policies_answered():
    def trial(problem: int, policy: str, tokens: int) -> Trial:
        return Trial(problem, 1, policy, "1", True, tokens, 1, 0.1, 1.0, "certain")

    trials = [trial(0, "a", 10), trial(1, "a", 1000), trial(0, "b", 5)]
    comparison = Comparison(("a", "b"), trials, 0)
    assert comparison.problems == [0]
    assert comparison.token_ratio("b").value == 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3", (3,)),
        ("1-", (1,)),
        ("1-4", (1, 2, 3, 4)),
        ("1,2,8", (1, 2, 8)),
        ("1-3,2-4", (1, 2, 3, 4)),
    ],
)
def test_levels(text, expected):
    assert levels(text) == expected


@pytest.mark.parametrize("text", ["", "0", "0-3", "4-1", "a", "-1"])
def test_levels_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be like 1-8"):
        levels(text)


def test_names_keep_their_order_and_drop_repeats():
    assert names("even, threshold,even") == ("even", "threshold")
    with pytest.raises(argparse.ArgumentTypeError):
        names(" , ")


@pytest.mark.parametrize(("kind", "text"), [(positive, "0"), (positive, "1.5"), (natural, "-1")])
def test_numbers_out_of_range_are_refused(kind, text):
    with pytest.raises(argparse.ArgumentTypeError, match="integer of at least"):
        kind(text)
