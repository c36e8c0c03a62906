"""A replica's two channels to the controller: a held poll, and a report when there is news.

Both replies carry commands, and may overtake each other; batches are numbered and applied in
order. Whenever a call fails or the controller does not know the replica, everything that runs is
dropped and the replica attaches again: the controller has placed it elsewhere, or will.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from typing import Protocol, TypeVar

from cluster.engine.reporting import Reporting
from cluster.engine.runner import Runner
from cluster.protocol import pack, unpack_batch
from dynasor.messages import Command, ReplicaInfo, Reset

logger = logging.getLogger(__name__)

T = TypeVar("T")

RETRY_S = 0.25
"""Time between two attempts to reach the controller; it is replaced within seconds."""

LEAVE_S = 1.0
"""How long saying goodbye may take: the controller may end at the same time."""


class ControllerCalls(Protocol):
    """The controller's verbs for replicas; reports and batches are msgpack bytes.

    Every call raises when the controller can't be reached.
    """

    async def attach(self, replica: str, info: ReplicaInfo) -> str: ...

    async def detach(self, replica: str) -> None: ...

    async def poll(self, replica: str, epoch: str) -> bytes: ...

    async def report(self, replica: str, epoch: str, report: bytes) -> bytes: ...


class _Lost(Exception):
    """The controller does not know this attachment (any more)."""


class Link:
    """Keeps a runner attached to the controller."""

    def __init__(
        self,
        replica: str,
        runner: Runner,
        controller: ControllerCalls,
        *,
        tokens_wait_s: float,
        call_timeout_s: float,
    ) -> None:
        """Set up; `serve` connects.

        Args:
            tokens_wait_s: how long mere tokens wait for a report; the end of a run never does.
            call_timeout_s: a call that takes longer has failed; above the time a poll is held.
        """
        self._replica = replica
        self._runner = runner
        self._controller = controller
        self._tokens_wait_s = tokens_wait_s
        self._call_timeout_s = call_timeout_s
        self._report_period_s = 0.0
        self._epoch = ""
        self._next = 1
        self._early: dict[int, tuple[Command, ...]] = {}

    async def serve(self, info: ReplicaInfo) -> None:
        """Attach and work until cancelled."""
        while True:
            try:
                self._epoch = await self._within(self._controller.attach(self._replica, info))
                self._next, self._early = 1, {}
                await self._work()
            except* _Lost:
                logger.warning("replica %s: unknown to the controller, attaching", self._replica)
            except* Exception as errors:
                first = errors.exceptions[0]
                logger.warning("replica %s: controller call failed: %r", self._replica, first)
                await asyncio.sleep(RETRY_S)
            finally:
                await self._runner.drop_all()

    async def leave(self) -> None:
        """Tell the controller that this replica ends; without it, silence says the same later."""
        try:
            async with asyncio.timeout(LEAVE_S):
                await self._controller.detach(self._replica)
        except Exception as error:
            logger.warning("replica %s: could not say goodbye: %r", self._replica, error)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._report())

    async def _poll(self) -> None:
        while True:
            poll = self._controller.poll(self._replica, self._epoch)
            await self._apply(await self._within(poll))

    async def _report(self) -> None:
        clock = asyncio.get_running_loop().time
        reports = Reporting(self._runner, self._tokens_wait_s)
        earliest = clock()
        while True:
            news = pack(await reports.next(earliest))
            earliest = clock() + self._report_period_s
            report = self._controller.report(self._replica, self._epoch, news)
            await self._apply(await self._within(report))

    async def _within(self, call: Awaitable[T]) -> T:
        async with asyncio.timeout(self._call_timeout_s):
            return await call

    async def _apply(self, reply: bytes) -> None:
        batch = unpack_batch(reply)
        if Reset() in batch.commands or batch.epoch != self._epoch:
            raise _Lost
        self._report_period_s = batch.report_period_s
        if batch.commands:
            self._early[batch.number] = batch.commands
        while self._next in self._early:
            commands = self._early.pop(self._next)
            self._next += 1
            await self._runner.apply(commands)
