"""What crosses the connection: messages as msgpack, each after its length."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Callable
from typing import cast

import msgspec

logger = logging.getLogger(__name__)

MAX_FRAME = 1 << 28
"""Bytes of the largest message; whoever announces more is no peer."""

DEAD_AFTER_S = 5
"""A peer's machine that does not acknowledge for this long is taken for dead."""

NO_REPLY = 0
"""Number of calls whose reply nobody waits for."""

_LENGTH = struct.Struct("!I")


class Call(msgspec.Struct, frozen=True, array_like=True, tag=0):
    """Do this. ``number``: unique among the calls in progress, or `NO_REPLY`."""

    number: int
    verb: str
    body: bytes


class Abandon(msgspec.Struct, frozen=True, array_like=True, tag=1):
    """Nobody waits for this call any more."""

    number: int


class Reply(msgspec.Struct, frozen=True, array_like=True, tag=2):
    """What came of a call."""

    number: int
    body: bytes


class Failure(msgspec.Struct, frozen=True, array_like=True, tag=3):
    """The call raised this."""

    number: int
    reason: str


Message = Call | Abandon | Reply | Failure

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Message)


class Frames(asyncio.Protocol):
    """One end of a connection: messages in, messages out.

    Args:
        take: is given every message that arrives.
        lost: is called once, when the connection has ended.
    """

    def __init__(self, take: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._take = take
        self._lost = lost
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _notice_dead_peers(transport.get_extra_info("socket"))

    def connection_lost(self, error: Exception | None) -> None:
        self._lost()

    def data_received(self, data: bytes) -> None:
        self._received += data
        at = 0
        try:
            while (end := self._end_of_frame(at)) is not None:
                message = _decoder.decode(self._received[at + _LENGTH.size : end])
                at = end
                self._take(message)
        except ValueError as error:
            # The port is open to the network.
            logger.warning("a connection that carries no calls was closed: %s", error)
            self.close()
        del self._received[:at]

    def send(self, message: Message) -> None:
        """Without waiting; what is sent after the connection's end is dropped."""
        assert self._transport is not None, "connected"
        if not self._transport.is_closing():
            data = _encoder.encode(message)
            self._transport.write(_LENGTH.pack(len(data)) + data)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    def _end_of_frame(self, at: int) -> int | None:
        """Where the message that begins here ends; None: it is not all there. Raises ValueError."""
        if len(self._received) < at + _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._received, at)
        if size > MAX_FRAME:
            raise ValueError(f"a message of {size} bytes")
        end: int = at + _LENGTH.size + size
        return end if len(self._received) >= end else None


def _notice_dead_peers(connection: socket.socket) -> None:
    """A process that dies closes its connections; a machine that dies does not."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Names that not every system has.
    for name, value in (
        ("TCP_KEEPIDLE", 1),
        ("TCP_KEEPINTVL", 1),
        ("TCP_KEEPCNT", DEAD_AFTER_S),
        ("TCP_USER_TIMEOUT", DEAD_AFTER_S * 1000),
    ):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
