"""The HTTP client, against a server of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from cluster.bench.client import RequestFailed
from cluster.bench.overhead.over_http import connect, plain_request


@asynccontextmanager
async def serving(reply: Any, status: int = 200) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that always gives this reply; its URL and what it was asked."""
    asked: list[Any] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(await request.json())
        return web.json_response(reply, status=status)

    application = web.Application()
    application.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}", asked
    finally:
        await runner.cleanup()


async def test_sends_a_plain_request_of_fixed_length():
    reply = {"usage": {"completion_tokens": 20, "more": 1}}
    async with serving(reply) as (url, asked), connect(url, "abacus", 20) as ask:
        assert await ask("What?") == 20
    assert asked == [plain_request("What?", "abacus", 20)]
    assert asked[0]["ignore_eos"] is True and asked[0]["max_tokens"] == 20


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        ({"usage": {"completion_tokens": 9}}, 200, "asked for 20 tokens, got 9"),
        ({"choices": []}, 200, "no usage.completion_tokens"),
        ({"error": {"message": "too many"}}, 429, "HTTP 429.*too many"),
    ],
)
async def test_other_replies_are_failures(reply: Any, status: int, said: str):
    async with serving(reply, status) as (url, _), connect(url, "abacus", 20) as ask:
        with pytest.raises(RequestFailed, match=said):
            await ask("What?")


async def test_no_server_is_a_failure():
    async with connect("http://127.0.0.1:9", "abacus", 20) as ask:
        with pytest.raises(RequestFailed, match=r"127\.0\.0\.1:9"):
            await ask("What?")
