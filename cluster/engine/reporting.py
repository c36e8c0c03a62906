"""When a runner's news are told: ends at once and by themselves, growth once in a while."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from cluster.engine.runner import Runner
from dynasor.messages import Report


class Reporting:
    """Takes a runner's reports when they are due."""

    def __init__(self, runner: Runner, tokens_wait_s: float) -> None:
        """``tokens_wait_s``: how long mere tokens wait."""
        self._runner = runner
        self._tokens_wait_s = tokens_wait_s
        self._growth_at: float | None = None

    async def next(self, earliest: float = 0.0) -> Report:
        """The next report, when it is due, and not before ``earliest`` (on the loop's clock): with
        the end of a run or a thought at once, and with that alone; with all growth when the first
        of it has waited for long enough."""
        clock = asyncio.get_running_loop().time
        await self._runner.news.wait()
        if self._growth_at is None:
            self._growth_at = clock() + self._tokens_wait_s
        await _wait_at_most(self._runner.urgent, self._growth_at - clock())
        await asyncio.sleep(max(0.0, earliest - clock()))
        growth = clock() >= self._growth_at or not self._runner.urgent.is_set()
        report = self._runner.take_report(growth=growth)
        if not self._runner.news.is_set():
            self._growth_at = None
        return report


async def _wait_at_most(event: asyncio.Event, seconds: float) -> None:
    # Not `wait_for`: in Python 3.11 it loses a cancellation that arrives with the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
