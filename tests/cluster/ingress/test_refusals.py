"""Every request that is refused: status, field, words. None reaches the controller or the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cluster.ingress.solving import Solver
from dynasor.errors import InvalidField
from dynasor.query import Query
from tests.cluster.ingress.fakes import FakeController
from tests.cluster.ingress.transport import StreamingTransport

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
USER = {"role": "user", "content": "2+2?"}
LONG = "1 " * 600
IMAGE = {"type": "image_url", "image_url": {"url": "http://x/y.png"}}

BAD_CHATS: list[tuple[dict[str, Any], int, str, str]] = [
    ({"model": "gpt-9"}, 404, "model", "abacus:self-consistency"),
    ({"model": "abacus:magic"}, 404, "model", "abacus"),
    ({"model": 5}, 400, "model", "string"),
    ({"messages": None}, 400, "messages", "required"),
    ({"messages": "hi"}, 400, "messages", "list"),
    ({"messages": []}, 400, "messages", "empty"),
    ({"messages": ["hi"]}, 400, "messages.0", "object"),
    ({"messages": [{"role": "user", "content": "  "}]}, 400, "messages", "text"),
    ({"messages": [USER, {"role": "boss", "content": "x"}]}, 400, "messages.1.role", "assistant"),
    ({"messages": [{"role": ["user"], "content": "x"}]}, 400, "messages.0.role", "assistant"),
    ({"messages": [{"role": "user"}]}, 400, "messages.0.content", "string"),
    ({"messages": [{"role": "user", "content": 7}]}, 400, "messages.0.content", "string"),
    ({"messages": [{"role": "user", "content": ["x"]}]}, 400, "messages.0.content.0", "object"),
    (
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        400,
        "messages.0.content.0.type",
        "text",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        400,
        "messages.0.content.0.text",
        "string",
    ),
    ({"messages": [{**USER, "tool_calls": [{}]}]}, 400, "messages.0.tool_calls", "content"),
    ({"messages": [{"role": "user", "content": LONG}]}, 400, "messages", "512"),
    ({"messages": [{"role": "user", "content": "x" * 90_000}]}, 400, "messages", "512"),
    ({"n": 0}, 400, "n", "greater than or equal to 1"),
    ({"n": 257}, 400, "n", "less than or equal to 256"),
    ({"n": "2"}, 400, "n", "integer"),
    ({"n": True}, 400, "n", "integer"),
    ({"n": 1.5}, 400, "n", "integer"),
    ({"temperature": "hot"}, 400, "temperature", "number"),
    ({"temperature": 2.5}, 400, "temperature", "less than or equal to 2"),
    ({"temperature": -1}, 400, "temperature", "greater than or equal to 0"),
    ({"top_p": 0}, 400, "top_p", "greater than 0"),
    ({"top_k": -2}, 400, "top_k", "-1"),
    ({"top_k": 2**64}, 400, "top_k", "less than 2147483648"),
    ({"min_p": 2}, 400, "min_p", "1"),
    ({"presence_penalty": 3}, 400, "presence_penalty", "2"),
    ({"frequency_penalty": -3}, 400, "frequency_penalty", "-2"),
    ({"repetition_penalty": 0}, 400, "repetition_penalty", "0"),
    ({"max_tokens": 0}, 400, "max_tokens", "1"),
    ({"max_tokens": "many"}, 400, "max_tokens", "integer"),
    ({"max_tokens": 100_000}, 400, "max_tokens", "left"),
    ({"max_completion_tokens": -4}, 400, "max_tokens", "1"),
    ({"max_completion_tokens": 4, "max_tokens": 5}, 400, "max_tokens", "max_completion_tokens"),
    ({"min_tokens": -1}, 400, "min_tokens", "0"),
    ({"min_tokens": 6, "max_tokens": 5}, 400, "min_tokens", "5"),
    ({"stop": 5}, 400, "stop", "list of strings"),
    ({"stop": [""]}, 400, "stop.0", "at least 1"),
    ({"stop": ["a", 5]}, 400, "stop.1", "string"),
    ({"stop": ["x"] * 17}, 400, "stop", "16"),
    ({"stop_token_ids": "5"}, 400, "stop_token_ids", "list"),
    ({"stop_token_ids": [-1]}, 400, "stop_token_ids", "at least 0"),
    ({"stop_token_ids": [10**6]}, 400, "stop_token_ids", "below"),
    ({"ignore_eos": "yes"}, 400, "ignore_eos", "boolean"),
    ({"seed": -1}, 400, "seed", "0"),
    ({"seed": 2**70}, 400, "seed", "less than"),
    ({"stream": "yes"}, 400, "stream", "boolean"),
    ({"stream_options": {"include_usage": True}}, 400, "stream_options", "stream"),
    (
        {"stream": True, "stream_options": {"usage": True}},
        400,
        "stream_options.usage",
        "unknown",
    ),
    ({"tools": [{"type": "function"}]}, 400, "tools", "[]"),
    ({"tool_choice": "required"}, 400, "tool_choice", "'auto'"),
    ({"functions": [{}]}, 400, "functions", "[]"),
    ({"response_format": {"type": "json_object"}}, 400, "response_format", "'text'"),
    ({"logprobs": True}, 400, "logprobs", "False"),
    ({"top_logprobs": 3}, 400, "top_logprobs", "0"),
    ({"logit_bias": {"5": 1}}, 400, "logit_bias", "{}"),
    ({"modalities": ["audio"]}, 400, "modalities", "'text'"),
    ({"audio": {"voice": "x"}}, 400, "audio", "None"),
    ({"reasoning_effort": "huge"}, 400, "reasoning_effort", "'minimal'"),
    ({"reasoning_effort": 3}, 400, "reasoning_effort", "'minimal'"),
    (
        {"reasoning_effort": "low", "program": {"effort": "high"}},
        400,
        "reasoning_effort",
        "program.effort ('high')",
    ),
    ({"reasoning_effort": "low", "program": {"effort": "huge"}}, 400, "program.effort", "'low'"),
    ({"temprature": 1}, 400, "temprature", "temperature"),
    ({"prompt": "x"}, 400, "prompt", "messages"),
    ({"program": 5}, 400, "program", "dictionary"),
    ({"program": {"algorithm": "magic"}}, 400, "program.algorithm", "self_consistency"),
    ({"program": {"algorithm": None}}, 400, "program.algorithm", "self_consistency"),
    ({"program": {"max_branches": 0}}, 400, "program.max_branches", "1"),
    ({"program": {"max_branches": 257}}, 400, "program.max_branches", "256"),
    ({"program": {"max_branches": "four"}}, 400, "program.max_branches", "integer"),
    ({"program": {"max_brunches": 4}}, 400, "program.max_brunches", "max_branches"),
    ({"program": {"policy": "magic"}}, 400, "program.policy", "threshold"),
    ({"program": {"policy": {"name": "threshold", "knob": 0}}}, 400, "program.policy.knob", "1"),
    ({"program": {"deadline_s": -1}}, 400, "program.deadline_s", "greater than 0"),
    ({"program": {"deadline_s": "soon"}}, 400, "program.deadline_s", "number"),
    ({"program": {}, "n": 2}, 400, "n", "1"),
    ({"model": "abacus:self-consistency", "n": 2}, 400, "n", "1"),
    (
        {"model": "abacus:self-consistency", "program": {"algorithm": "sample"}},
        400,
        "program.algorithm",
        "self_consistency",
    ),
]

BAD_TEXTS: list[tuple[dict[str, Any], int, str, str]] = [
    ({"prompt": None}, 400, "prompt", "required"),
    ({"prompt": ""}, 400, "prompt", "at least 1"),
    ({"prompt": []}, 400, "prompt", "empty"),
    ({"prompt": 5}, 400, "prompt", "list of token ids"),
    ({"prompt": ["a", "b"]}, 400, "prompt", "one prompt"),
    ({"prompt": [[1], [2]]}, 400, "prompt", "one prompt"),
    ({"prompt": [1, "b"]}, 400, "prompt.1", "token id"),
    ({"prompt": [1, True]}, 400, "prompt.1", "token id"),
    ({"prompt": [1, -1]}, 400, "prompt", "at least 0"),
    ({"prompt": [1, 2**40]}, 400, "prompt", "below"),
    ({"prompt": [5] * 512}, 400, "prompt", "512"),
    ({"prompt": LONG}, 400, "prompt", "512"),
    ({"echo": True}, 400, "echo", "False"),
    ({"suffix": "end"}, 400, "suffix", "''"),
    ({"best_of": 2}, 400, "best_of", "1"),
    ({"logprobs": 2}, 400, "logprobs", "False"),
    ({"messages": [USER]}, 400, "messages", "prompt"),
    ({"max_completion_tokens": 5}, 400, "max_completion_tokens", "max_tokens"),
]


@pytest.fixture(autouse=True)
def nothing_reaches_engines_or_log(
    controller: FakeController, caplog: pytest.LogCaptureFixture
) -> Iterator[None]:
    with caplog.at_level(logging.INFO):
        yield
    assert controller.submits == []
    assert [record for record in caplog.records if record.exc_info] == []


def check(reply: httpx.Response, status: int, field: str | None, words: str) -> None:
    assert reply.status_code == status, reply.text
    error = reply.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["param"] == field
    assert (field or "body") in error["message"] and words in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize(("change", "status", "field", "words"), BAD_CHATS, ids=str)
async def test_bad_chat(
    http: httpx.AsyncClient, change: dict[str, Any], status: int, field: str, words: str
) -> None:
    check(await http.post(CHAT, json={"messages": [USER], **change}), status, field, words)


@pytest.mark.parametrize(("change", "status", "field", "words"), BAD_TEXTS, ids=str)
async def test_bad_completion(
    http: httpx.AsyncClient, change: dict[str, Any], status: int, field: str, words: str
) -> None:
    check(await http.post(TEXT, json={"prompt": "2+2=", **change}), status, field, words)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not valid JSON"),
        (b'{"messages": ', "not valid JSON"),
        (b'{"n": NaN}', "not valid JSON"),
        (b'{"prompt": "\xff"}', "not valid JSON"),
        (b'{"prompt": "\\ud800 alone"}', "not valid JSON"),
        (b'{"a":' * 5000, "nested too deeply"),
        (b"[1]", "must be a JSON object, got list"),
        (b'"x"', "must be a JSON object, got str"),
    ],
    ids=str,
)
async def test_broken_json(http: httpx.AsyncClient, body: bytes, words: str) -> None:
    check(await http.post(CHAT, content=body), 400, None, words)


@pytest.mark.parametrize("depth", range(600, 1000, 20))
async def test_deep_json(http: httpx.AsyncClient, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    body = f'{{"messages": [{json.dumps(USER)}], "n": {deep}}}'
    reply = await http.post(CHAT, content=body)
    assert reply.status_code == 400 and reply.json()["error"]["param"] in ("n", None)


async def test_oversized_bodies(http: httpx.AsyncClient) -> None:
    async def chunks() -> Any:
        for _ in range(101):
            yield b"x" * 1000

    for content in (b"x" * 100_001, chunks()):
        reply = await http.post(CHAT, content=content)
        check(reply, 413, None, "100000")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/v1/nothing", 404), ("GET", CHAT, 405), ("GET", "/v1/models/gpt-9", 404)],
)
async def test_unknown_routes(http: httpx.AsyncClient, method: str, path: str, status: int) -> None:
    reply = await http.request(method, path)
    assert reply.status_code == status and reply.json()["error"]["message"]
    if status == 405:
        assert reply.headers["allow"] == "POST"


async def test_too_long_has_openais_code(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.completions.create(model="abacus", prompt=LONG)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "prompt")


async def test_the_handle_refuses_too(solver: Solver) -> None:
    with pytest.raises(InvalidField, match="prompt: the context holds 512 tokens"):
        await solver.solve(Query(prompt=LONG))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
FIELDS = sorted({name for change, *_ in (*BAD_CHATS, *BAD_TEXTS) for name in change} | {"metadata"})
PROGRAM = st.dictionaries(
    st.sampled_from(["algorithm", "policy", "deadline_s", "max_branches", "n"]),
    JSON | st.sampled_from(["sample", "self_consistency", "even", {"name": "threshold"}]),
)


@given(data=st.data())
@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
async def test_no_body_is_a_server_error(
    data: st.DataObject, api: FastAPI, controller: FakeController
) -> None:
    path = data.draw(st.sampled_from([CHAT, TEXT]))
    body = data.draw(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4))
    if data.draw(st.booleans()):
        body |= {"messages": [USER]} if path == CHAT else {"prompt": "2+2="}
    if data.draw(st.booleans()):
        body["program"] = data.draw(PROGRAM)
    async with httpx.AsyncClient(transport=StreamingTransport(api), base_url="http://x") as http:
        reply = await http.post(path, content=json.dumps(body))
    assert reply.status_code in (200, 400, 404), reply.text
    if reply.status_code != 200:
        assert reply.json()["error"]["message"]
    controller.submits.clear()
