"""Stream items from a sender to an inbox, on a port that anybody can reach."""

from __future__ import annotations

import asyncio

import zmq

from cluster.protocol import TokenDelta
from cluster.stream import Inbox, Sender

DELTA = TokenDelta("q", 0, 0, 1, "text")


async def test_what_is_no_item_is_dropped_and_the_next_one_arrives() -> None:
    inbox, sender = Inbox("127.0.0.1"), Sender()
    stranger = zmq.Context.instance().socket(zmq.PUSH)
    stranger.connect(inbox.address)
    try:
        async with inbox.subscribe("q") as queue:
            for junk in (b"", b"\xff", b"\x82\xa4type\xa6tokens\xa8query_id\xa2\xff\xfe"):
                stranger.send(junk)
            await asyncio.sleep(0.1)
            sender.send(inbox.address, DELTA)
            assert await asyncio.wait_for(queue.get(), 5) == DELTA
    finally:
        stranger.close(linger=0)
        sender.close()
        inbox.close()


def test_an_address_that_is_none_is_no_error() -> None:
    sender = Sender()
    sender.send("nowhere", DELTA)
    sender.close()
