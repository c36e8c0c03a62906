"""Token text and progress on their way to an ingress replica, past the controller.

Each ingress replica binds one ZeroMQ PULL socket; whoever has something for one of its users
pushes to that address. Delivery is best effort: what a stream must not lose (its result) comes by
the reply of the controller's call.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import zmq
import zmq.asyncio

from cluster.protocol import StreamItem, pack, unpack_item

logger = logging.getLogger(__name__)

QUEUED_ITEMS = 100_000
"""Items that may wait at each end of a connection; a burst of many streams must not lose text."""

MAX_PEERS = 256
"""Sockets a `Sender` keeps open; above it the longest unused one is closed."""


class Inbox:
    """The receiving end: sorts items by query."""

    def __init__(self, host: str) -> None:
        """Bind to a free port of ``host`` (an address the cluster's nodes can reach)."""
        self._socket = zmq.asyncio.Context.instance().socket(zmq.PULL)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.RCVHWM, QUEUED_ITEMS)
        port = self._socket.bind_to_random_port(f"tcp://{host}")
        self.address = f"tcp://{host}:{port}"
        self._queues: dict[str, asyncio.Queue[StreamItem]] = {}
        self._task = asyncio.get_running_loop().create_task(self._receive())

    @asynccontextmanager
    async def subscribe(self, query_id: str) -> AsyncIterator[asyncio.Queue[StreamItem]]:
        """Items of one query, as long as the context lasts; later ones are dropped."""
        queue: asyncio.Queue[StreamItem] = asyncio.Queue()
        self._queues[query_id] = queue
        try:
            yield queue
        finally:
            del self._queues[query_id]

    async def _receive(self) -> None:
        while True:
            data = await self._socket.recv()
            try:
                item = unpack_item(data)
            except ValueError as error:
                # The port is open to the network: what is no item must not end all streams.
                logger.warning("a message that is no stream item was dropped: %s", error)
                continue
            queue = self._queues.get(item.query_id)
            if queue is not None:
                queue.put_nowait(item)

    def close(self) -> None:
        """Stop receiving."""
        self._task.cancel()
        self._socket.close()


class Sender:
    """The sending end: one connection per address, made at the first item."""

    def __init__(self) -> None:
        self._sockets: dict[str, zmq.Socket[bytes]] = {}

    def send(self, address: str, item: StreamItem) -> None:
        """Push without waiting; an item that can't be sent is dropped: its user is gone, reads too
        slowly, or gets it with the result."""
        with suppress(zmq.ZMQError):
            socket = self._sockets.pop(address, None) or self._connect(address)
            self._sockets[address] = socket
            socket.send(pack(item), zmq.NOBLOCK)
        if len(self._sockets) > MAX_PEERS:
            self._sockets.pop(next(iter(self._sockets))).close()

    def _connect(self, address: str) -> zmq.Socket[bytes]:
        socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SNDHWM, QUEUED_ITEMS)
        socket.connect(address)
        return socket

    def close(self) -> None:
        """Close all connections."""
        for socket in self._sockets.values():
            socket.close()
        self._sockets.clear()
