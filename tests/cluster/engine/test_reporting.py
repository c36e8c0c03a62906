"""When news are told."""

from __future__ import annotations

import asyncio

from cluster.engine.reporting import Reporting
from cluster.engine.runner import Runner
from dynasor.messages import Stop
from tests.cluster.engine.fake import FakeEngine, LastWord, Sent, runner_of
from tests.cluster.engine.test_runner import OPEN, start

SOON, LATE = 0.01, 3600.0


def made(length: int, wait_s: float) -> tuple[Runner, Reporting]:
    runner = runner_of(FakeEngine(length), LastWord(), Sent())
    return runner, Reporting(runner, wait_s)


async def test_an_end_is_told_at_once_and_by_itself() -> None:
    runner, reports = made(400, LATE)
    await runner.apply((OPEN, start(1, lease=400, limit=400), start(2, lease=3, limit=400)))
    report = await reports.next()
    assert [news.run for news in report.runs] == [2] and not report.whole
    await runner.apply((Stop(1),))


async def test_growth_is_told_when_it_has_waited() -> None:
    runner, reports = made(10_000, SOON)
    await runner.apply((OPEN, start(1, lease=10_000, limit=10_000)))
    report = await reports.next()
    assert report.whole and report.runs[0].end is None and report.runs[0].tokens


async def test_growth_waits_anew_after_an_end_has_told_all() -> None:
    runner, reports = made(400, LATE)
    loop = asyncio.get_running_loop()
    for run, lease in ((1, 3), (2, 400)):
        await runner.apply((OPEN, start(run, lease=lease, limit=400)))
        report = await reports.next()
        assert [news.run for news in report.runs] == [run] and report.runs[0].end is not None
        # As if the wait of the first one's growth were long over.
        reports._growth_at = None if reports._growth_at is None else loop.time() - 1.0


async def test_no_report_goes_before_it_may() -> None:
    runner, reports = made(3, SOON)
    await runner.apply((OPEN, start()))
    earliest = asyncio.get_running_loop().time() + 0.1
    await reports.next(earliest)
    assert asyncio.get_running_loop().time() >= earliest
