"""The end that calls."""

from __future__ import annotations

import asyncio
import itertools

from cluster.rpc.frames import NO_REPLY, Abandon, Call, Failure, Frames, Message, Reply

CONNECT_S = 5.0


class PeerLost(ConnectionError):
    """The connection has ended, or there is none. What the call did is not known."""


class CallFailed(Exception):
    """The call raised something over there; the text says what."""


class Caller:
    """One connection. It is not made again when it is lost."""

    def __init__(self) -> None:
        """Use `connect`."""
        self._numbers = itertools.count(NO_REPLY + 1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._frames = Frames(self._take, self._end)
        self.lost = False

    @classmethod
    async def connect(cls, address: str) -> Caller:
        """Raises PeerLost if nobody listens at ``host:port``."""
        caller = cls()
        host, _, port = address.rpartition(":")
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: caller._frames, host, int(port))
        except OSError as error:
            raise PeerLost(f"{address}: {error or 'no answer'}") from None
        return caller

    async def call(self, verb: str, body: bytes) -> bytes:
        """The reply's body. When this is cancelled, so is the call over there.

        Raises:
            PeerLost: the connection ended before the reply came.
            CallFailed: the call raised.
        """
        if self.lost:
            raise PeerLost("the connection has ended")
        number = next(self._numbers)
        reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._waiting[number] = reply
        self._frames.send(Call(number, verb, body))
        try:
            return await reply
        except asyncio.CancelledError:
            self._frames.send(Abandon(number))
            raise
        finally:
            del self._waiting[number]

    def tell(self, verb: str, body: bytes) -> None:
        """A call whose outcome does not matter."""
        self._frames.send(Call(NO_REPLY, verb, body))

    def close(self) -> None:
        """End the connection; calls in progress raise PeerLost."""
        self._frames.close()

    def _take(self, message: Message) -> None:
        if not isinstance(message, Reply | Failure):
            return
        waiting = self._waiting.get(message.number)
        if waiting is None or waiting.done():
            return
        if isinstance(message, Reply):
            waiting.set_result(message.body)
        else:
            waiting.set_exception(CallFailed(message.reason))

    def _end(self) -> None:
        self.lost = True
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(PeerLost("the connection has ended"))
