"""An in-process HTTP transport that streams, and tells the application when the client leaves.

(`httpx.ASGITransport` does neither.)
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
from fastapi import FastAPI


class _Exchange(httpx.AsyncByteStream):
    """One request and its response."""

    def __init__(self, app: FastAPI, request: httpx.Request) -> None:
        self._request = [{"type": "http.request", "body": b"", "more_body": False}]
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._app = app
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": request.method,
            "path": request.url.path,
            "raw_path": request.url.raw_path,
            "query_string": request.url.query,
            "root_path": "",
            "scheme": "http",
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": None,
            "server": None,
        }

    async def start(self, request: httpx.Request) -> httpx.Response:
        pieces = [piece async for piece in request.stream]  # type: ignore[union-attr]
        self._request = [
            {"type": "http.request", "body": piece, "more_body": True} for piece in pieces
        ]
        self._request.append({"type": "http.request", "body": b"", "more_body": False})
        self._task = asyncio.create_task(self._app(self._scope, self._receive, self._sent.put))  # type: ignore[arg-type]
        try:
            head = await self._next()
        except BaseException:
            await self.aclose()
            raise
        return httpx.Response(head["status"], headers=head["headers"], stream=self)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            message = await self._next()
            yield message.get("body", b"")
            if not message.get("more_body", False):
                return

    async def aclose(self) -> None:
        self._gone.set()
        await self._task

    async def _receive(self) -> dict[str, Any]:
        if self._request:
            return self._request.pop(0)
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _next(self) -> dict[str, Any]:
        get = asyncio.create_task(self._sent.get())
        try:
            await asyncio.wait((get, self._task), return_when=asyncio.FIRST_COMPLETED)
            if not get.done():
                await asyncio.sleep(0)
            if not get.done():
                self._task.result()
                raise AssertionError("the application ended without a response")
            return get.result()
        finally:
            get.cancel()


class StreamingTransport(httpx.AsyncBaseTransport):
    """Serves an application's requests on the running event loop."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await _Exchange(self._app, request).start(request)
