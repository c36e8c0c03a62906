"""The controller's verbs as they are called over a connection: names and packing."""

from __future__ import annotations

from collections.abc import Mapping

from cluster.controller.shell import Shell
from cluster.protocol import (
    pack,
    unpack_attach,
    unpack_cancel,
    unpack_detach,
    unpack_news,
    unpack_report,
    unpack_submit,
)
from cluster.rpc.server import Verb


def verbs(shell: Shell) -> Mapping[str, Verb]:
    """By name. Each raises msgspec.ValidationError for a body that is not its own."""

    async def solve(body: bytes) -> bytes:
        return pack(await shell.solve(unpack_submit(body)))

    async def cancel(body: bytes) -> bytes:
        shell.cancel(unpack_cancel(body).query_id)
        return b""

    async def status(body: bytes) -> bytes:
        return pack(shell.status())

    async def stats(body: bytes) -> bytes:
        return pack(shell.stats())

    async def attach(body: bytes) -> bytes:
        joining = unpack_attach(body)
        return shell.attach(joining.replica, joining.info).encode()

    async def detach(body: bytes) -> bytes:
        shell.detach(unpack_detach(body).replica)
        return b""

    async def poll(body: bytes) -> bytes:
        news = unpack_news(body)
        return pack(await shell.poll(news.replica, news.epoch))

    async def report(body: bytes) -> bytes:
        news = unpack_news(body)
        return pack(shell.report(news.replica, news.epoch, unpack_report(news.report)))

    known = (solve, cancel, status, stats, attach, detach, poll, report)
    return {verb.__name__: verb for verb in known}
