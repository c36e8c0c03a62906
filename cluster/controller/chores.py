"""What the controller does by the clock, beside its calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cluster.controller.memory import collect_if
from cluster.controller.metrics import Metrics
from cluster.controller.shell import Shell
from cluster.controller.values import ValueFile

logger = logging.getLogger(__name__)

METRICS_PERIOD_S = 1.0
COLLECTION_PERIOD_S = 60.0


class Chores:
    """Brings metrics up to date, collects garbage and saves value models, until closed."""

    def __init__(self, shell: Shell, file: ValueFile, save_period_s: float) -> None:
        self._shell = shell
        self._file = file
        self._metrics = Metrics()
        self._closing = asyncio.Event()
        loop = asyncio.get_running_loop()
        chores = (
            (METRICS_PERIOD_S, self._update_metrics),
            (COLLECTION_PERIOD_S, self._collect),
            (save_period_s, self._save),
        )
        self._tasks = [loop.create_task(self._every(period_s, chore)) for period_s, chore in chores]

    async def close(self) -> None:
        """Do all of them a last time."""
        self._closing.set()
        await asyncio.gather(*self._tasks)

    async def _every(self, period_s: float, chore: Callable[[], Awaitable[None]]) -> None:
        last = False
        while not last:
            with suppress(TimeoutError):
                async with asyncio.timeout(period_s):
                    await self._closing.wait()
            last = self._closing.is_set()
            try:
                await chore()
            except Exception:
                # No query depends on it, and the next time may do better.
                logger.exception("the controller could not do a chore")

    async def _update_metrics(self) -> None:
        self._metrics.update(self._shell.stats())

    async def _collect(self) -> None:
        collect_if(idle=not self._shell.status().programs)

    async def _save(self) -> None:
        await self._file.save(self._shell.learned())
