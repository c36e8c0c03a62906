"""Calls over a connection: replies, failures, and what happens when one end is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import pytest
import uvloop

from cluster.rpc.caller import Caller, CallFailed, PeerLost
from cluster.rpc.frames import MAX_FRAME
from cluster.rpc.server import Server
from tests.waiting import until


class Desk:
    """Something that can be called."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.waiting = 0
        self.told: list[bytes] = []

    async def echo(self, body: bytes) -> bytes:
        return body

    async def fail(self, body: bytes) -> bytes:
        raise ValueError("not that")

    async def wait(self, body: bytes) -> bytes:
        self.waiting += 1
        try:
            await self.open.wait()
        finally:
            self.waiting -= 1
        return body

    async def note(self, body: bytes) -> bytes:
        self.told.append(body)
        return b""


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Desk, Server, Caller]]:
    desk = Desk()
    verbs = {"echo": desk.echo, "fail": desk.fail, "wait": desk.wait, "note": desk.note}
    server = Server(verbs)
    await server.start("127.0.0.1")
    caller = await Caller.connect(server.address)
    try:
        yield desk, server, caller
    finally:
        caller.close()
        await server.close()


async def test_replies_belong_to_their_calls_whatever_their_order() -> None:
    async with connected() as (desk, _, caller):
        slow = asyncio.create_task(caller.call("wait", b"slow"))
        await until(lambda: desk.waiting == 1)
        replies = await asyncio.gather(*(caller.call("echo", bytes([n])) for n in range(200)))
        assert replies == [bytes([n]) for n in range(200)]
        desk.open.set()
        assert await slow == b"slow"


async def test_a_large_body_arrives_whole() -> None:
    body = bytes(range(256)) * 20_000
    async with connected() as (_, _, caller):
        assert await caller.call("echo", body) == body


@pytest.mark.parametrize(
    ("verb", "said"), [("fail", "ValueError: not that"), ("nothing", "KeyError")]
)
async def test_what_is_raised_there_is_told_here(verb: str, said: str) -> None:
    async with connected() as (_, _, caller):
        with pytest.raises(CallFailed, match=said):
            await caller.call(verb, b"")
        assert await caller.call("echo", b"still there") == b"still there"


async def test_a_cancelled_call_is_cancelled_there() -> None:
    async with connected() as (desk, _, caller):
        call = asyncio.create_task(caller.call("wait", b""))
        await until(lambda: desk.waiting == 1)
        call.cancel()
        await until(lambda: desk.waiting == 0)
        with pytest.raises(asyncio.CancelledError):
            await call


async def test_calls_end_there_when_their_caller_is_gone() -> None:
    async with connected() as (desk, _, caller):
        call = asyncio.create_task(caller.call("wait", b""))
        await until(lambda: desk.waiting == 1)
        caller.close()
        await until(lambda: desk.waiting == 0)
        with pytest.raises(PeerLost):
            await call


async def test_calls_fail_here_when_the_other_end_is_gone() -> None:
    async with connected() as (desk, server, caller):
        call = asyncio.create_task(caller.call("wait", b""))
        await until(lambda: desk.waiting == 1)
        await server.close()
        with pytest.raises(PeerLost):
            await call
        assert caller.lost
        with pytest.raises(PeerLost):
            await caller.call("echo", b"")
        with pytest.raises(PeerLost):
            await Caller.connect(server.address)


async def test_telling_needs_no_reply() -> None:
    async with connected() as (desk, _, caller):
        caller.tell("note", b"1")
        caller.tell("fail", b"")
        caller.tell("note", b"2")
        await until(lambda: desk.told == [b"1", b"2"])


@pytest.mark.parametrize(
    "sent", [b"GET / HTTP/1.1\r\n\r\n", (MAX_FRAME + 1).to_bytes(4, "big"), b"\0\0\0\1\xff"]
)
async def test_a_stranger_is_hung_up_on(sent: bytes) -> None:
    async with connected() as (_, server, caller):
        host, _, port = server.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        assert await reader.read() == b""
        writer.close()
        assert await caller.call("echo", b"others go on") == b"others go on"


def test_calls_work_on_the_event_loop_of_ray_and_vllm() -> None:
    async def call() -> bytes:
        async with connected() as (_, _, caller):
            return await caller.call("echo", b"x")

    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(uvloop.run, call()).result() == b"x"
