"""The comparison of algorithms against a server in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cluster.bench import algorithms, client
from cluster.bench.jobs import plan
from cluster.bench.rows import read_sheet
from cluster.models.abacus.reasoner import THINK_HARD

Reply = Callable[[dict[str, Any], str], httpx.Response]
"""From a request's body and the right answer."""

ROWS = {
    "majority": "four",
    "rows": [
        {"name": "plain"},
        {"name": "four", "program": {"max_branches": 4, "policy": "even"}},
        {"name": "saves", "program": {"max_branches": 3, "policy": "beta"}},
        {"name": "long", "hard": True},
        {"name": "short", "hard": True, "baseline": "long", "program": {"max_branches": 1}},
    ],
    "expect": [
        {"row": "saves", "metric": "accuracy", "than": "majority-at-equal-tokens", "above": 0},
        {"row": "saves", "metric": "tokens", "than": "four", "at_most": 0.5},
        {"row": "short", "metric": "thinking_tokens", "than": "long", "at_most": 0.25},
        {"row": "short", "metric": "accuracy", "than": "long", "at_least": -1},
    ],
}
OPTIONS = ["--problems", "8", "--levels", "1-2", "--concurrency", "3", "--seed", "5"]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Reply], list[dict[str, Any]]]:
    """Makes the benchmark talk to a function; returns the bodies it was sent."""
    answers = {job.problem.text: str(job.problem.answer) for job in plan(8, (1, 2), ("any",), 5)}

    def start(reply: Reply) -> list[dict[str, Any]]:
        bodies: list[dict[str, Any]] = []

        def handle(request: httpx.Request) -> httpx.Response:
            if request.method == "GET":
                return httpx.Response(200, json={"data": [{"id": "abacus"}]})
            bodies.append(json.loads(request.content))
            return reply(bodies[-1], answers[bodies[-1]["messages"][-1]["content"]])

        transport = httpx.MockTransport(handle)
        monkeypatch.setattr(algorithms, "connect", lambda url, n: client.connect(url, n, transport))
        return bodies

    return start


@pytest.fixture
def rows(tmp_path: Path) -> list[str]:
    path = tmp_path / "rows.yaml"
    path.write_text(yaml.safe_dump(ROWS))
    return ["--rows", str(path)]


def answered(answer: str | None, content: str, thinking: int, **fields: Any) -> httpx.Response:
    """A response; its branches say ``said`` with 10 tokens each."""
    said = fields.pop("said", [])
    tokens = {"spent": 10 * len(said), "probe": 0, "score": 0, "discarded": 0}
    choice = {"finish_reason": "stop", "message": {"content": content, "reasoning": "2 + 2"}}
    program = {
        "answer": answer,
        "certaindex": 0.75,
        "signals": {"entropy": 0.75},
        "measured": len(said),
        "stop": "certain",
        "tokens": {**tokens, **fields.pop("tokens", {})},
        "branches": [{"branch": i, "answer": text, "tokens": 10} for i, text in enumerate(said)],
        **fields,
    }
    usage = {"completion_tokens_details": {"reasoning_tokens": thinking}}
    return httpx.Response(200, json={"choices": [choice], "usage": usage, "program": program})


def solve(body: dict[str, Any], right: str) -> httpx.Response:
    """Half of the chains of the row of four are right; "saves" is right with 15 tokens."""
    match body["program"]:
        case {"max_branches": 4}:
            return answered(right, right, 5, said=[right, "-1", right, "-2"])
        case {"max_branches": 3}:
            return answered(right, right, 5, tokens={"spent": 15, "probe": 3, "score": 2})
        case {"max_branches": 1}:
            return answered("-1", "-1", 40, tokens={"spent": 45, "discarded": 30}, stop="complete")
    boxed = rf"\boxed{{{right}}}"
    return answered(None, boxed, 200, tokens={"spent": 210}, signals={}, certaindex=0.0)


def cells(text: str) -> dict[str, list[str]]:
    """Rows of the tables, by their first cells; of equal ones the last."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in lines}


def test_one_table_of_all_rows(serve, rows, capsys, tmp_path):
    bodies = serve(solve)
    out = tmp_path / "results.json"
    assert algorithms.main([*OPTIONS, *rows, "--out", str(out)]) == 1, "an expectation is not met"
    text = capsys.readouterr().out
    assert "40 of 40 requests, 0 failed, about 0 min left" in text

    overview, long_chains = text.split("| long chain")
    table = cells(overview)
    assert [name for name in table if name.strip("-")] == [
        "row", "plain", "four", "saves", "long", "short",
    ]  # fmt: skip
    header = table["row"]
    saves = dict(zip(header, table["saves"], strict=True))
    assert saves["accuracy"] == "100.0% (67.6% to 100.0%)"
    assert saves["tokens"] == "15"
    assert (saves["probe"], saves["score"]) == ("3", "2")
    assert saves["tokens / four"] == "0.38 (0.38 to 0.38)"
    assert saves["certaindex"] == "0.75"
    assert saves["stop"] == "certain 8"
    assert saves["failed"] == "0"
    plain = dict(zip(header, table["plain"], strict=True))
    assert plain["accuracy"].startswith("100.0%"), "read from what it says"
    assert plain["certaindex"] == "-"
    assert plain["majority at equal tokens"] == "100.0%*"
    short = dict(zip(header, table["short"], strict=True))
    assert short["cut off"] == "30"
    assert short["stop"] == "complete 8"
    assert cells("| long chain" + long_chains)["short"] == [
        "long", "-100.0 (-100.0 to -100.0)", "40", "0.20 (0.20 to 0.20)",
    ]  # fmt: skip

    statements = text[text.index("Expected:") :]
    assert "saves less that of majority-at-equal-tokens above +0 points: met, +" in statements
    assert "tokens of saves at most 0.5 times those of four: met, 0.375 (95%" in statements
    assert "thinking tokens of short at most 0.25 times those of long: met, 0.200" in statements
    assert "accuracy of short less that of long at least -1 points: NOT MET, -100.0" in statements

    document = json.loads(out.read_text())
    assert len(document["trials"]) == 40
    assert document["summary"]["saves"]["token_ratio"]["value"] == 0.375
    assert [check["met"] for check in document["expectations"]] == [True, True, True, False]
    assert [row["name"] for row in document["rows"]] == [row["name"] for row in ROWS["rows"]]
    assert document["arguments"]["seed"] == 5

    hard = [body for body in bodies if body["messages"][0]["role"] == "system"]
    assert len(hard) == 16
    assert {body["messages"][0]["content"] for body in hard} == {THINK_HARD}
    assert all(body["temperature"] == 1.0 for body in bodies)


def test_majority_at_equal_tokens_comes_from_the_chains_of_fixed_n(serve, rows, capsys):
    """Half of its chains are right, and the wrong ones never agree."""
    serve(solve)
    algorithms.main([*OPTIONS, *rows])
    table = cells(capsys.readouterr().out.split("| long chain")[0])
    four, saves = (dict(zip(table["row"], table[name], strict=True)) for name in ("four", "saves"))
    assert four["majority at equal tokens"] == "100.0%"
    assert four["difference, points"] == "+0.0 (+0.0 to +0.0)"
    share = float(saves["majority at equal tokens"].rstrip("%"))
    assert share == pytest.approx(50, abs=6), "one or two chains are as good as the first"


def test_only_some_rows(serve, rows, capsys):
    bodies = serve(solve)
    assert algorithms.main([*OPTIONS, *rows, "--only", "short,saves"]) == 0
    text = capsys.readouterr().out
    assert len(bodies) == 16
    table = cells(text.split("| long chain")[0])
    saves = dict(zip(table["row"], table["saves"], strict=True))
    assert saves["tokens / four"] == saves["difference, points"] == "-"
    assert text.count("NOT CHECKED") == 4


def test_an_unknown_row_or_file_is_said_at_once(rows, capsys, tmp_path):
    assert algorithms.main([*OPTIONS, *rows, "--only", "nonsense"]) == 1
    assert "unknown row 'nonsense'; known: plain, four" in capsys.readouterr().err
    assert algorithms.main([*OPTIONS, "--rows", str(tmp_path / "none.yaml")]) == 1
    assert "none.yaml" in capsys.readouterr().err
    (tmp_path / "rows.yaml").write_text("rows: [{name: a, program: {algorithm: nonsense}}]")
    assert algorithms.main([*OPTIONS, *rows]) == 1
    assert "unknown algorithm 'nonsense'" in capsys.readouterr().err


def test_a_row_that_fails_leaves_the_others_comparable(serve, rows, capsys, tmp_path):
    def reply(body: dict[str, Any], right: str) -> httpx.Response:
        if body["program"].get("policy") == "beta":
            return httpx.Response(400, json={"error": {"message": "nobody judges chains here"}})
        return solve(body, right)

    serve(reply)
    out = tmp_path / "results.json"
    assert algorithms.main([*OPTIONS, *rows, "--out", str(out)]) == 1
    text = capsys.readouterr().out
    table = cells(text.split("| long chain")[0])
    assert set(table["saves"]) == {"-", "8"}
    assert table["four"][-1] == "0"
    assert "8 requests FAILED" in text
    assert "problem 0 under saves: HTTP 400" in text
    assert "tokens of saves at most 0.5 times those of four: NOT CHECKED" in text
    assert json.loads(out.read_text())["failures"][0]["under"] == "saves"


@pytest.mark.parametrize(
    "response",
    [
        httpx.Response(200, json={"choices": []}),
        httpx.Response(200, json={"program": {"answer": "1"}, "usage": {}}),
        httpx.Response(200, json={"program": None, "usage": None}),
    ],
)
def test_unusable_responses_are_failures(serve, rows, response, capsys):
    serve(lambda body, right: response)
    assert algorithms.main([*OPTIONS, *rows]) == 1
    text = capsys.readouterr().out
    assert "40 requests FAILED" in text
    assert "unusable response" in text


def test_when_interrupted_it_tells_what_it_knows(serve, rows, capsys):
    asked = 0

    def reply(body: dict[str, Any], right: str) -> httpx.Response:
        nonlocal asked
        asked += 1
        if asked == 21:
            raise KeyboardInterrupt
        return solve(body, right)

    serve(reply)
    assert algorithms.main([*OPTIONS, *rows, "--concurrency", "1"]) == 1
    text = capsys.readouterr().out
    assert "interrupted" in text
    table = cells(text.split("| long chain")[0])
    assert dict(zip(table["row"], table["saves"], strict=True))["stop"] == "certain 4"


def test_no_server_is_said_at_once(capsys):
    assert algorithms.main(["--url", "http://127.0.0.1:9"]) == 1
    assert "algorithms: http://127.0.0.1:9: " in capsys.readouterr().err


def test_every_row_that_ships_can_be_asked(serve, capsys):
    """And its statements can be checked."""
    bodies = serve(lambda body, right: solve({"program": {"max_branches": 4}}, right))
    algorithms.main(["--problems", "1", "--levels", "1", "--seed", "5"])
    text = capsys.readouterr().out
    sheet = read_sheet()
    assert len(bodies) == len(sheet.rows)
    assert "FAILED" not in text
    assert text.count("\n- ") == len(sheet.expect)
    assert "NOT CHECKED" not in text
