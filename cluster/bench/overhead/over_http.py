"""Plain requests over HTTP, with a client that takes little CPU from what it measures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec

from cluster.bench.client import RequestFailed
from cluster.bench.overhead.closed_loop import Ask

TIMEOUT = aiohttp.ClientTimeout(total=120)


class _Usage(msgspec.Struct):
    completion_tokens: int


class _Reply(msgspec.Struct):
    usage: _Usage


_replies = msgspec.json.Decoder(_Reply)


@asynccontextmanager
async def connect(url: str, model: str, tokens: int) -> AsyncIterator[Ask]:
    """An `Ask` that sends chat requests for ``tokens`` tokens each to an OpenAI-compatible server.

    It keeps its connections open, and never retries.
    """
    # A connection for every request that is under way, with no limit.
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:

        async def ask(question: str) -> int:
            body = msgspec.json.encode(plain_request(question, model, tokens))
            try:
                async with session.post(
                    f"{url}/v1/chat/completions",
                    data=body,
                    headers={"Content-Type": "application/json"},
                ) as response:
                    answer = await response.read()
            except (aiohttp.ClientError, TimeoutError) as error:
                raise RequestFailed(f"{url}: {error or type(error).__name__}") from None
            return _tokens(response.status, answer, tokens)

        yield ask


def plain_request(question: str, model: str, tokens: int) -> dict[str, Any]:
    """The body of a chat request that generates exactly so many tokens."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": question}],
        "max_tokens": tokens,
        "ignore_eos": True,
        "temperature": 1.0,
    }


def _tokens(status: int, answer: bytes, expected: int) -> int:
    if status != 200:
        raise RequestFailed(f"HTTP {status}: {answer[:300].decode(errors='replace')}", status)
    try:
        got = _replies.decode(answer).usage.completion_tokens
    except msgspec.DecodeError as error:
        raise RequestFailed(f"the response has no usage.completion_tokens: {error}") from None
    if got != expected:
        raise RequestFailed(f"asked for {expected} tokens, got {got}: nothing to compare")
    return got
