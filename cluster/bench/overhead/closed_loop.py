"""Clients that ask one request after the other, each as soon as it has the last one's answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import NamedTuple

from cluster.bench.stats import percentile

Ask = Callable[[str], Awaitable[int]]
"""Puts a question as a plain request and gives the number of generated tokens; raises
RequestFailed."""


@dataclass(frozen=True, slots=True)
class Round:
    """What one system did under one load for some seconds.

    Attributes:
        wall_s: from the first request to the last response.
        client_cpu_s: CPU of the process that asks; it holds the engines' front ends where there
            is no server.
        latencies_s: of every request.
    """

    system: str
    concurrency: int
    number: int
    wall_s: float
    client_cpu_s: float
    tokens: int
    latencies_s: tuple[float, ...]

    @property
    def throughput(self) -> float:
        """Tokens per second, beginning and end included."""
        return self.tokens / self.wall_s

    @property
    def p50_ms(self) -> float:
        """Median latency."""
        return percentile(self.latencies_s, 50) * 1000

    @property
    def p99_ms(self) -> float:
        """99th percentile of latency."""
        return percentile(self.latencies_s, 99) * 1000


class Load(NamedTuple):
    """``concurrency`` clients that ask for ``seconds``; what is asked then is still answered."""

    concurrency: int
    seconds: float


async def run_round(
    name: str, ask: Ask, load: Load, questions: Sequence[str], number: int
) -> Round:
    """Put the system under the load.

    Raises:
        RequestFailed: a request did; the others are dropped.
    """
    latencies: list[float] = []
    tokens = 0
    cpu, started = time.process_time(), time.perf_counter()

    async def client(index: int) -> None:
        nonlocal tokens
        asked_at = started
        for question in islice(cycle(questions), index, None):
            got = await ask(question)
            now = time.perf_counter()
            tokens += got
            latencies.append(now - asked_at)
            if now >= started + load.seconds:
                return
            asked_at = now

    async with asyncio.TaskGroup() as group:
        for index in range(load.concurrency):
            group.create_task(client(index))
    return Round(
        system=name,
        concurrency=load.concurrency,
        number=number,
        wall_s=time.perf_counter() - started,
        client_cpu_s=time.process_time() - cpu,
        tokens=tokens,
        latencies_s=tuple(latencies),
    )


async def alternate(
    asks: Sequence[tuple[str, Ask]],
    loads: Sequence[Load],
    questions: Sequence[str],
    rounds: int,
) -> AsyncIterator[Round]:
    """Rounds of all systems under all loads. Under each load the systems take turns, and who is
    first moves on from round to round. Raises RequestFailed."""
    for number in range(rounds):
        first = number % len(asks)
        for load in loads:
            for name, ask in (*asks[first:], *asks[:first]):
                yield await run_round(name, ask, load, questions, number)
