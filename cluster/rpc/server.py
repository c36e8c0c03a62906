"""The end that is called."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping

from cluster.rpc.frames import NO_REPLY, Abandon, Call, Failure, Frames, Message, Reply

logger = logging.getLogger(__name__)

Verb = Callable[[bytes], Awaitable[bytes]]
"""Carries out a call: from its body to the reply's. It is cancelled when its caller is gone."""


class Server:
    """Carries out the calls of any number of callers, all at once."""

    def __init__(self, verbs: Mapping[str, Verb]) -> None:
        self._verbs = verbs
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.address = ""

    async def start(self, host: str) -> None:
        """Listen at a free port of ``host``, an address that callers can reach."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, host, 0)
        port = self._server.sockets[0].getsockname()[1]
        self.address = f"{host}:{port}"

    async def close(self) -> None:
        """Stop listening and cancel all calls."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()

    def _connection(self) -> Frames:
        connection = _Connection(self._verbs, self._connections.discard)
        self._connections.add(connection)
        return connection.frames


class _Connection:
    def __init__(self, verbs: Mapping[str, Verb], forget: Callable[[_Connection], None]) -> None:
        self._verbs = verbs
        self._forget = forget
        self._calls: set[asyncio.Task[None]] = set()
        self._waited_for: dict[int, asyncio.Task[None]] = {}
        self.frames = Frames(self._take, self._lost)

    def close(self) -> None:
        self.frames.close()

    def _take(self, message: Message) -> None:
        if isinstance(message, Call):
            call = asyncio.get_running_loop().create_task(self._answer(message))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            if message.number != NO_REPLY:
                self._waited_for[message.number] = call
        elif isinstance(message, Abandon) and message.number in self._waited_for:
            self._waited_for.pop(message.number).cancel()

    def _lost(self) -> None:
        self._forget(self)
        for call in self._waited_for.values():
            call.cancel()

    async def _answer(self, call: Call) -> None:
        answer: Message
        try:
            answer = Reply(call.number, await self._verbs[call.verb](call.body))
        except Exception as error:
            logger.exception("call %.60r failed", call.verb)
            answer = Failure(call.number, f"{type(error).__name__}: {error}")
        if self._waited_for.pop(call.number, None) is not None:
            self.frames.send(answer)
