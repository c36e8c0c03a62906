"""The load: who is asked what, and in which order."""

from __future__ import annotations

import asyncio

import pytest

from cluster.bench.client import RequestFailed
from cluster.bench.overhead.closed_loop import Load, Round, alternate, run_round

QUESTIONS = ["a", "b", "c"]


class Stub:
    """Answers when it is its turn, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most = 0

    async def ask(self, question: str) -> int:
        self.asked.append(question)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0)
        self.at_once -= 1
        return 5


async def test_as_many_ask_at_once_as_the_load_says():
    stub = Stub()
    one = await run_round("stub", stub.ask, Load(3, 0.01), QUESTIONS, 0)
    assert stub.most == 3
    assert one.tokens == 5 * len(stub.asked) == 5 * len(one.latencies_s)


async def test_every_client_asks_at_least_once_and_begins_elsewhere():
    stub = Stub()
    await run_round("stub", stub.ask, Load(3, 1e-9), QUESTIONS, 0)
    assert stub.asked == QUESTIONS


async def test_a_failed_request_ends_the_round():
    async def fail(question: str) -> int:
        raise RequestFailed("no")

    with pytest.raises(ExceptionGroup) as raised:
        await run_round("stub", fail, Load(2, 1.0), QUESTIONS, 0)
    assert raised.group_contains(RequestFailed, match="no")


async def test_systems_take_turns_under_each_load_and_who_is_first_moves_on():
    asks = [("x", Stub().ask), ("y", Stub().ask)]
    loads = [Load(1, 1e-9), Load(2, 1e-9)]
    rounds = [one async for one in alternate(asks, loads, QUESTIONS, 2)]
    assert [(one.number, one.concurrency, one.system) for one in rounds] == [
        (0, 1, "x"),
        (0, 1, "y"),
        (0, 2, "x"),
        (0, 2, "y"),
        (1, 1, "y"),
        (1, 1, "x"),
        (1, 2, "y"),
        (1, 2, "x"),
    ]


def test_figures_of_a_round():
    one = Round("x", 2, 0, 2.0, 0.1, 100, (0.1, 0.2, 0.3))
    assert one.throughput == 50
    assert one.p50_ms == pytest.approx(200)
