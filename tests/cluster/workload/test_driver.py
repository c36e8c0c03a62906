"""The client of benchmarks: when it sends, and from when it counts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from cluster.workload.driver import Ask, closed_loop, open_loop
from cluster.workload.request import Request
from cluster.workload.served import Served
from tests.cluster.workload.virtual import run, work


def requests(*at_s: float) -> list[Request]:
    return [Request(number, at, "k", 7, {}) for number, at in enumerate(at_s)]


def served(request: Request) -> Served:
    return Served(request.number, "s", request.kind, "q", "answered", -1.0, -1.0, correct=True)


def taking(*seconds: float) -> Ask:
    """Answers the n-th query after the n-th of these times."""

    async def ask(request: Request) -> Served:
        await asyncio.sleep(seconds[request.number])
        return served(request)

    return ask


class TestOpenLoop:
    def test_a_slow_query_holds_nobody_up(self) -> None:
        driven = run(open_loop(requests(1, 2, 3), taking(50, 1, 1)))
        assert [one.number for one in driven.served] == [0, 1, 2]
        assert [one.at_s for one in driven.served] == pytest.approx([1, 2, 3])
        assert [one.latency_s for one in driven.served] == pytest.approx([50, 1, 1])
        assert driven.seconds == pytest.approx(51)

    def test_latency_counts_from_when_a_query_was_due(self) -> None:
        async def ask(request: Request) -> Served:
            if request.number == 0:
                work(5)
            return served(request)

        driven = run(open_loop(requests(0, 1, 4, 9), ask))
        assert [one.lag_s for one in driven.served] == pytest.approx([0, 4, 1, 0])
        assert [one.latency_s for one in driven.served] == pytest.approx([5, 4, 1, 0])
        assert driven.worst_lag_s == pytest.approx(4)

    def test_a_failure_is_the_end_of_that_query_only(self) -> None:
        async def ask(request: Request) -> Served:
            if request.number == 0:
                raise TimeoutError("of its own")
            return served(request)

        first, second = run(open_loop(requests(0, 0), ask, "ours")).served
        assert (first.outcome, first.system, first.correct) == ("failed", "ours", False)
        assert "of its own" in first.message and second.outcome == "answered"

    def test_queries_are_given_up_after_the_limit(self) -> None:
        driven = run(open_loop(requests(0, 2), taking(10, 3), limit_s=4))
        assert [one.outcome for one in driven.served] == ["given_up", "answered"]
        assert driven.served[0].latency_s == pytest.approx(4)

    def test_requests_are_drawn_as_they_are_sent(self) -> None:
        drawn = []

        def lazily() -> Iterator[Request]:
            for request in requests(0, 10, 20):
                drawn.append(request.number)
                yield request

        async def ask(request: Request) -> Served:
            assert len(drawn) <= request.number + 2
            return served(request)

        assert all(one.answered for one in run(open_loop(lazily(), ask)).served)

    def test_the_client_says_what_it_took(self) -> None:
        driven = run(open_loop(requests(0), taking(2)))
        assert driven.client_cpu_s >= 0 and driven.client_cores == driven.client_cpu_s / 2
        assert run(open_loop([], taking())).served == ()


class TestClosedLoop:
    def test_no_more_are_in_progress_than_there_are_clients(self) -> None:
        asked: list[int] = []

        async def ask(request: Request) -> Served:
            asked.append(request.number)
            assert len(asked) <= 3
            await asyncio.sleep(1 + request.number % 2)
            asked.remove(request.number)
            return served(request)

        driven = run(closed_loop(requests(*range(100, 112)), ask, 3))
        assert [one.number for one in driven.served] == list(range(12))
        assert all(one.answered and one.lag_s == 0 for one in driven.served)

    def test_the_next_is_sent_when_one_has_ended(self) -> None:
        driven = run(closed_loop(requests(0, 0, 0), taking(1, 4, 1), 2))
        assert [one.at_s for one in driven.served] == pytest.approx([0, 0, 1])
        assert driven.seconds == pytest.approx(4)

    def test_none_is_begun_after_the_time_and_all_that_were_are_waited_for(self) -> None:
        async def ask(request: Request) -> Served:
            await asyncio.sleep(2)
            return served(request)

        endless = (Request(number, 0, "k", 0, {}) for number in count())
        driven = run(closed_loop(endless, ask, 2, seconds=5))
        assert len(driven.served) == 6 and driven.seconds == pytest.approx(6)
