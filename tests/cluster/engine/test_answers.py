"""Reading answers in an asyncio program, with a parser that hangs, dies or is slow."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest
import pytest_asyncio

from cluster.engine.answers import AnswerReader
from dynasor.answers import Answer, canonical

HANGS = r"\boxed{9^{9^{9}}}"


@pytest_asyncio.fixture
async def reader() -> AsyncIterator[AnswerReader]:
    reader = AnswerReader(timeout_s=1.0)
    yield reader
    await reader.close()


def workers() -> list[int]:
    found = []
    for child in psutil.Process().children():
        with suppress(psutil.Error):  # A child may end while it is looked at.
            if "cluster.engine.answers" in child.cmdline():
                found.append(child.pid)
    return found


async def all_workers_gone() -> None:
    async with asyncio.timeout(10):
        while workers():  # noqa: ASYNC110 - a process that ends sets no event
            await asyncio.sleep(0.01)


async def test_simple_answers_need_no_worker(reader: AnswerReader) -> None:
    assert await reader.read(r"\boxed{0.50}", complete=True) == Answer("0.50", "1/2")
    assert await reader.read("nothing", complete=True) is None
    assert await reader.read("it is 5", complete=False) is None
    assert workers() == []


async def test_a_worker_makes_the_same_key_as_any_other_process(reader: AnswerReader) -> None:
    texts = (r"\boxed{x(x+1)}", r"\boxed{x^2+x}", r"\boxed{\{y, x, z\}}", r"\boxed{é+}")
    answers = [await reader.read(text, complete=True) for text in texts]
    assert all(answer and answer.key == canonical(answer.text) for answer in answers)
    assert len(workers()) == 1


async def test_a_hanging_parse_is_cut_and_the_next_one_works(reader: AnswerReader) -> None:
    assert await reader.read(HANGS, complete=True) == Answer("9^{9^{9}}", "9^{9^{9}}")
    await all_workers_gone()
    async with asyncio.timeout(0.5):
        assert await reader.read(HANGS, complete=True) == Answer("9^{9^{9}}", "9^{9^{9}}")
    after = await reader.read(r"\boxed{\sqrt8}", complete=True)
    assert after == Answer(r"\sqrt8", canonical(r"2\sqrt2"))


async def test_a_killed_worker_is_replaced(reader: AnswerReader) -> None:
    await reader.read(r"\boxed{x+1}", complete=True)
    (before,) = workers()
    os.kill(before, signal.SIGKILL)
    answer = await reader.read(r"\boxed{x+2}", complete=True)
    assert answer == Answer("x+2", canonical("2+x"))
    (after,) = workers()
    assert after != before


async def test_a_cancelled_read_leaves_no_reply_for_the_next(reader: AnswerReader) -> None:
    await reader.read(r"\boxed{x+1}", complete=True)
    cancelled = asyncio.create_task(reader.read(HANGS, complete=True))
    await asyncio.sleep(0)
    cancelled.cancel()
    answer = await reader.read(r"\boxed{x+3}", complete=True)
    assert answer == Answer("x+3", canonical("x+3"))
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_concurrent_reads_share_the_worker_and_the_loop_stays_free(
    reader: AnswerReader,
) -> None:
    reads = asyncio.gather(
        *(reader.read(rf"\boxed{{x+{index % 3}y}}", complete=True) for index in range(12))
    )
    turns = 0
    while not reads.done():
        await asyncio.sleep(0.01)
        turns += 1
    answers = await reads
    assert len({answer.key for answer in answers if answer}) == 3
    assert len(workers()) == 1
    # Starting a worker takes most of a second: a loop that waited for it would hardly turn.
    assert turns > 10


async def test_closing_ends_the_workers_and_refuses_slow_reads() -> None:
    reader = AnswerReader(timeout_s=30.0)
    await reader.read(r"\boxed{x+1}", complete=True)
    hanging = asyncio.create_task(reader.read(HANGS, complete=True))
    await asyncio.sleep(0)
    await reader.close()
    await reader.close()
    assert workers() == []
    with pytest.raises(RuntimeError, match="closed"):
        await hanging
    with pytest.raises(RuntimeError, match="closed"):
        await reader.read(r"\boxed{x+4}", complete=True)
    assert await reader.read(r"\boxed{5}", complete=True) == Answer("5", "5")


def test_senseless_limits_are_refused() -> None:
    with pytest.raises(ValueError, match="timeout_s"):
        AnswerReader(timeout_s=0)
    with pytest.raises(ValueError, match="workers"):
        AnswerReader(workers=0)
