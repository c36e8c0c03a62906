"""The overhead benchmark with a stand-in for vLLM and a server in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import httpx
import pytest

from cluster.bench import client, overhead
from cluster.bench.stats import Interval

CONFIG = Path(__file__).parents[3] / "serve_configs" / "local.yaml"


class StandIn:
    """An engine that needs no time."""

    log: list[str]
    env: dict[str, str]
    closed = False

    def __init__(self, settings: Any) -> None:
        StandIn.env = dict(os.environ)
        StandIn.closed = False

    async def latency_ms(self, messages: list[dict[str, str]], tokens: int) -> float:
        StandIn.log.append("direct " + messages[0]["content"])
        return 10.0

    def close(self) -> None:
        StandIn.closed = True


@pytest.fixture
def bodies(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    StandIn.log = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"data": [{"id": "abacus"}]})
        sent.append(json.loads(request.content))
        StandIn.log.append("http " + sent[-1]["messages"][0]["content"])
        return httpx.Response(200, json={"usage": {"completion_tokens": 20}})

    transport = httpx.MockTransport(handle)
    monkeypatch.setattr(overhead, "connect", lambda url, n: client.connect(url, n, transport))
    monkeypatch.setattr(overhead, "DirectEngine", StandIn)
    monkeypatch.setattr(overhead, "WARM_UP", 2)
    monkeypatch.setattr(os, "environ", dict(os.environ))
    return sent


def test_alternates_and_prints_a_verdict(bodies, capsys):
    assert overhead.main(["--config", str(CONFIG), "--requests", "6"]) == 0
    out = capsys.readouterr().out
    assert "| 20 tokens, ms" in out
    assert "6 requests each, alternating" in out
    assert out.rstrip().endswith("at most 15 ms.")
    assert len(bodies) == 8, "two to warm up"
    sides = [entry.split()[0] for entry in StandIn.log]
    assert sides == ["direct", "http", "http", "direct"] * 4
    questions = [entry.split(" ", 1)[1] for entry in StandIn.log]
    assert questions[::2] == questions[1::2]
    assert StandIn.closed


def test_sends_a_plain_request_of_fixed_length(bodies):
    overhead.main(["--config", str(CONFIG), "--requests", "1"])
    assert {key: value for key, value in bodies[0].items() if key != "messages"} == {
        "model": "abacus",
        "max_tokens": 20,
        "ignore_eos": True,
        "temperature": 1.0,
    }


def test_sets_the_engines_environment_before_it_starts(bodies):
    overhead.main(["--config", str(CONFIG), "--requests", "1"])
    assert StandIn.env["VLLM_ENABLE_V1_MULTIPROCESSING"] == "0"
    assert StandIn.env["OMP_NUM_THREADS"] == "1"


def test_another_number_of_tokens_is_an_error(bodies, capsys):
    assert overhead.main(["--config", str(CONFIG), "--requests", "1", "--tokens", "9"]) == 1
    assert "asked for 9 tokens, got 20" in capsys.readouterr().err
    assert StandIn.closed


def test_report_says_when_it_is_too_slow():
    text = overhead.report([10.0, 12.0], [40.0, 42.0], Interval(30.0, 29.0, 31.0), 20)
    assert "| difference" in text
    assert "+30.0" in text
    assert "adds 30.0 (95%: 29.0 to 31.0) ms at p50: MORE than 15 ms" in text


def test_settings_are_those_of_the_config():
    settings = overhead.read_settings(CONFIG)
    assert settings.model.name == "abacus"
    assert settings.engine.max_num_seqs == 64
