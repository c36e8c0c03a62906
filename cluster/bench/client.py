"""The HTTP side of the benchmarks."""

from __future__ import annotations

import itertools
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

URL = "http://127.0.0.1:8000"
TIMEOUT_S = 600.0


class RequestFailed(Exception):
    """A request got no usable answer; the text says why.

    Attributes:
        status: of the HTTP response; None: there was none, or it was no error.
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class Reply(NamedTuple):
    """A response. ``latency_s``: from sending to having read it whole."""

    document: dict[str, Any]
    latency_s: float


class Lanes(httpx.AsyncBaseTransport):
    """Many connection pools, used in turn. One pool looks at all its connections, and for each of
    them at all others, whenever a request comes or goes: a hundred in one take 4 ms each time."""

    def __init__(self, count: int) -> None:
        limits = httpx.Limits(max_connections=None)
        context = ssl.create_default_context()
        self._lanes = [httpx.AsyncHTTPTransport(context, limits=limits) for _ in range(count)]
        self._next = itertools.cycle(self._lanes)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await next(self._next).handle_async_request(request)

    async def aclose(self) -> None:
        for lane in self._lanes:
            await lane.aclose()


@asynccontextmanager
async def connect(
    url: str, connections: int, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client that keeps up to ``connections`` connections open and never retries."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(
        base_url=url, limits=limits, timeout=TIMEOUT_S, transport=transport
    ) as client:
        yield client


async def first_model(client: httpx.AsyncClient) -> str:
    """Name of the served model.

    Raises:
        RequestFailed: there is no server, or it lists no models.
    """
    reply = await _exchange(client, "GET", "/v1/models", None)
    try:
        return str(reply.document["data"][0]["id"])
    except (LookupError, TypeError):
        raise RequestFailed(f"{client.base_url} lists no models") from None


async def health(client: httpx.AsyncClient) -> dict[str, Any]:
    """The cluster's status.

    Raises:
        RequestFailed: no connection, no replica, or no JSON object.
    """
    return (await _exchange(client, "GET", "/health", None)).document


async def chat(client: httpx.AsyncClient, body: dict[str, Any]) -> Reply:
    """Send a chat request that does not stream.

    Raises:
        RequestFailed: no connection, an error status, or no JSON object.
    """
    return await _exchange(client, "POST", "/v1/chat/completions", body)


async def _exchange(
    client: httpx.AsyncClient, method: str, path: str, body: dict[str, Any] | None
) -> Reply:
    started = time.perf_counter()
    try:
        response = await client.request(method, path, json=body)
    except httpx.HTTPError as error:
        raise RequestFailed(f"{client.base_url}: {error or type(error).__name__}") from None
    latency_s = time.perf_counter() - started
    if not response.is_success:
        message = f"HTTP {response.status_code}: {response.text[:300]}"
        raise RequestFailed(message, response.status_code)
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise RequestFailed(f"no JSON object: {response.text[:300]}")
    return Reply(document, latency_s)
