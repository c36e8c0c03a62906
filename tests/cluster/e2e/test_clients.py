"""Clients that are not OpenAI's: raw HTTP, the Python handle, the command line; and those gone."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys

import httpx
import openai
import pytest

from tests.cluster.e2e.conftest import ROOT, Application
from tests.waiting import until

QUESTION = "Start with 28. Multiply by 2. Add 6. What is the result?"


DRIVER = """
import json, sys, ray
from ray import serve
from dynasor.query import Query
ray.init(address="auto", log_to_driver=False)
query = Query.model_validate(json.loads(sys.argv[1]))
solution = serve.get_app_handle("dynasor").solve.remote(query).result(timeout_s=60)
program = solution.program.model_dump(mode="json")
print(json.dumps({"content": solution.content, "program": program}))
"""


def test_broken_json_is_refused(application: Application) -> None:
    reply = httpx.post(f"{application.url}/v1/chat/completions", content=b'{"model": ')
    assert reply.status_code == 400
    assert reply.json()["error"]["type"] == "invalid_request_error"


def test_unknown_paths_are_refused_in_the_same_form(application: Application) -> None:
    reply = httpx.get(f"{application.url}/v1/nothing")
    assert reply.status_code == 404 and "message" in reply.json()["error"]


def test_the_python_handle_gives_the_same_program(
    application: Application, client: openai.OpenAI
) -> None:
    program = {"algorithm": "self_consistency", "max_branches": 8, "policy": "even"}
    query = {"messages": [{"role": "user", "content": QUESTION}], "program": program}
    command = [sys.executable, "-c", DRIVER, json.dumps(query)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    solution = json.loads(said.splitlines()[-1])
    assert solution["program"]["answer"] == "62"
    assert len(solution["program"]["branches"]) == 8
    assert "62" in solution["content"]
    reply = client.chat.completions.create(
        model="abacus",
        messages=[{"role": "user", "content": QUESTION}],
        extra_body={"program": program},
    )
    over_http = reply.model_extra["program"]  # type: ignore[index]
    assert set(over_http) == set(solution["program"])


def test_asking_on_the_command_line(application: Application) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cluster.cli", "ask", QUESTION, "--url", application.url],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert "62" in done.stdout and "certaindex" in done.stdout


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_frees_its_branches_within_a_second(
    application: Application, stream: bool
) -> None:
    body = {
        "model": "abacus",
        "messages": [{"role": "user", "content": QUESTION}],
        "n": 128,
        "ignore_eos": True,
        "stream": stream,
    }

    async def ask() -> None:
        async with (
            httpx.AsyncClient(timeout=60) as http,
            http.stream("POST", f"{application.url}/v1/chat/completions", json=body) as reply,
        ):
            async for _ in reply.aiter_bytes():
                pass

    asking = asyncio.create_task(ask())
    await until(application.all_busy, seconds=30)
    asking.cancel()
    await until(lambda: application.holds(runs=0, programs=0), seconds=1.0)
