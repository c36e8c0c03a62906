"""The load test against a cluster in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.bench.load import __main__ as load
from cluster.bench.load import asking

FAST = [
    "--levels", "1,2", "--policies", "even,threshold", "--rates", "1", "--seconds", "0.2",
    "--repeats-alone", "1", "--clients", "2", "--capacity-s", "0.2",
]  # fmt: skip

Reply = Callable[[dict[str, Any]], Awaitable[httpx.Response]]


def answered(tokens: int = 100) -> httpx.Response:
    program = {"answer": "-1", "tokens": {"spent": tokens}, "stop": "complete"}
    return httpx.Response(200, json={"program": program})


class Cluster:
    """Answers after a moment, and says how many programs it has in progress.

    Attributes:
        bodies: what it was asked.
        leftovers: looks at its status that still find a program in progress.
    """

    def __init__(self, reply: Reply) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.leftovers = 0
        self._reply = reply
        self._programs = 0

    async def handle(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/models":
            return httpx.Response(200, json={"data": [{"id": "abacus"}]})
        if request.url.path == "/health":
            self.leftovers -= self.leftovers > 0
            return httpx.Response(200, json={"programs": self._programs + self.leftovers})
        self.bodies.append(json.loads(request.content))
        self._programs += 1
        try:
            return await self._reply(self.bodies[-1])
        finally:
            self._programs -= 1


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Reply], Cluster]:
    """Makes the load test talk to a function."""

    def start(reply: Reply) -> Cluster:
        cluster = Cluster(reply)
        transport = httpx.MockTransport(cluster.handle)
        monkeypatch.setattr(asking, "Lanes", lambda count: transport)
        monkeypatch.setattr(asking, "LOOK_EVERY_S", 0.001)
        return cluster

    return start


async def soon(body: dict[str, Any]) -> httpx.Response:
    await asyncio.sleep(0.005)
    return answered(400 if body["program"]["policy"] == "even" else 100)


def lines(path: Path, kind: str) -> list[dict[str, Any]]:
    documents = [json.loads(line) for line in path.read_text().splitlines()]
    return [document for document in documents if document["line"] == kind]


def test_measures_alone_then_capacity_then_every_point(serve, capsys, tmp_path):
    cluster = serve(soon)
    out = tmp_path / "load.jsonl"
    assert load.main([*FAST, "--order", "fcfs", "--out", str(out)]) == 0
    text = capsys.readouterr().out
    assert "Order of the queue: fcfs." in text
    assert "Capacity, policy `even`:" in text and "| alone, s, by level" in text
    assert "| 1 even" in text and "| 1 threshold" in text
    assert "0.250 (0.250 to 0.250)" in text, "tokens against even"
    assert lines(out, "run")[0]["seed"] == 0
    assert len(lines(out, "alone")) == 8
    assert lines(out, "capacity")[0]["queries_per_s"] > 0
    assert [line["policy"] for line in lines(out, "point")] == ["even", "threshold"]
    queries = lines(out, "query")
    assert {query["outcome"] for query in queries} == {"answered"}
    assert all(query["alone_s"] > 0 for query in queries)
    assert len(lines(out, "figures")) == 2 and len(lines(out, "against")) == 1
    assert {body["program"]["policy"] for body in cluster.bodies} == {"even", "threshold"}


def test_policies_get_the_same_queries(serve, tmp_path):
    cluster = serve(soon)
    assert load.main([*FAST, "--turns", "2", "--out", str(tmp_path / "o")]) == 0
    queries = lines(tmp_path / "o", "query")
    for turn in (0, 1):
        sides = [
            [
                (q["number"], q["kind"], q["level"])
                for q in queries
                if (q["policy"], q["turn"]) == at
            ]
            for at in (("even", turn), ("threshold", turn))
        ]
        assert sides[0] == sides[1] != []
    asked = [body["messages"][-1]["content"] for body in cluster.bodies]
    assert len(asked) > len(set(asked))


def test_deadlines_are_sent_only_when_asked_for(serve):
    cluster = serve(soon)
    load.main(FAST)
    assert not any("deadline_s" in body["program"] for body in cluster.bodies)
    cluster.bodies.clear()
    load.main([*FAST, "--send-deadlines"])
    sent = [body for body in cluster.bodies if "deadline_s" in body["program"]]
    assert sent and all(body["program"]["deadline_s"] > 0 for body in sent)
    assert {body["program"]["policy"] for body in sent} == {"even", "threshold"}


def test_refusals_are_counted_and_no_failure(serve, capsys, tmp_path):
    async def reply(body: dict[str, Any]) -> httpx.Response:
        if body["program"]["policy"] == "threshold":
            return httpx.Response(429, json={"error": {"message": "overloaded"}})
        return await soon(body)

    serve(reply)
    assert load.main([*FAST, "--out", str(tmp_path / "o")]) == 0
    found = {line["policy"]: line for line in lines(tmp_path / "o", "figures")}
    assert (found["even"]["refused"], found["threshold"]["refused"]) == (0.0, 1.0)
    assert found["threshold"]["in_time"]["value"] == 0.0
    assert "FAILED" not in capsys.readouterr().out


def test_a_query_beyond_the_limit_is_given_up_and_counted(serve, tmp_path):
    async def reply(body: dict[str, Any]) -> httpx.Response:
        if body["program"]["policy"] == "threshold":
            await asyncio.Event().wait()
        return await soon(body)

    serve(reply)
    assert load.main([*FAST, "--limit-s", "1", "--out", str(tmp_path / "o")]) == 0
    outcomes = {q["policy"]: q["outcome"] for q in lines(tmp_path / "o", "query")}
    assert outcomes == {"even": "answered", "threshold": "given_up"}
    found = {line["policy"]: line for line in lines(tmp_path / "o", "figures")}
    assert found["threshold"]["lost"] == 1.0
    assert found["threshold"]["p50_s"] >= 1


def test_failures_are_told_and_exit_with_1(serve, capsys):
    async def reply(body: dict[str, Any]) -> httpx.Response:
        if body["program"]["policy"] == "threshold":
            return httpx.Response(500, text="broken")
        return await soon(body)

    serve(reply)
    assert load.main(FAST) == 1
    assert "queries FAILED; the first: HTTP 500: broken" in capsys.readouterr().out


def test_waits_until_the_cluster_is_empty(serve):
    cluster = serve(soon)
    cluster.leftovers = 5
    assert load.main(FAST) == 0
    assert cluster.leftovers == 0


def test_a_cluster_that_stays_busy_ends_the_run(serve, capsys):
    cluster = serve(soon)
    cluster.leftovers = 10**9
    assert load.main([*FAST, "--limit-s", "0.05"]) == 1
    captured = capsys.readouterr()
    assert "load: the cluster does not become empty" in captured.err
    assert "Nothing was measured." in captured.out


def test_an_empty_cluster_that_does_not_answer_ends_the_run(serve, capsys):
    async def reply(body: dict[str, Any]) -> httpx.Response:
        return httpx.Response(200, json={"choices": []})

    serve(reply)
    assert load.main(FAST) == 1
    assert "alone: unusable response" in capsys.readouterr().err


def test_an_interruption_shows_what_there_is(serve, capsys, monkeypatch):
    async def interrupted(url, model, plan, record, note) -> None:
        record.capacity = 2.0
        raise KeyboardInterrupt

    monkeypatch.setattr(load, "measure", interrupted)
    assert load.main(FAST) == 1
    text = capsys.readouterr().out
    assert "interrupted" in text and "2.00 queries/s" in text


def test_an_unknown_policy_is_refused_before_anything_is_sent(capsys):
    assert load.main(["--policies", "even,nobody"]) == 1
    assert "nobody" in capsys.readouterr().err


def test_quick_changes_defaults_and_nothing_that_is_given():
    assert load.parse(["--policies", "even"]).seconds == 30
    quick = load.parse(["--quick", "--seconds", "5"])
    assert quick.rates == (0.5, 1.5)
    assert quick.seconds == 5
