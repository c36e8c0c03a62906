"""A replica's engine and runner without a controller: takes the commands a core would send, and
tells when tokens came. Everything that a replica does for a token is in what it measures."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from cluster.engine.equipment import Equipment
from cluster.engine.generation import Piece, TokenEngine
from cluster.engine.load import Gauge
from cluster.engine.reporting import Reporting
from cluster.engine.runner import Runner
from cluster.protocol import pack
from cluster.settings import Settings
from cluster.sim.profiling.windows import Sample, Window, sample
from dynasor.messages import Close, Open, ReplicaInfo, Start, Stop
from dynasor.query import Sampling

FIRST_ID, LAST_ID = 16, 256
"""Token ids between these are ordinary ones in every vocabulary."""

AT_ONCE = 2
"""Tokens that every sequence has before a window begins: then all of them run."""

RENEWED = 192
"""Tokens after which a background sequence ends and another one begins."""

TIMEOUT_S = 120.0
"""For what takes seconds."""


class Timed:
    """An engine that notes when each sequence's tokens came, by its whole context."""

    def __init__(self, engine: TokenEngine) -> None:
        self._engine = engine
        self.came = asyncio.Event()
        self.times: dict[tuple[int, ...], list[float]] = {}

    @property
    def info(self) -> ReplicaInfo:
        """See `TokenEngine`."""
        return self._engine.info

    async def generate(
        self, request: str, context: Sequence[int], sampling: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        """See `TokenEngine`."""
        times = self.times[tuple(context)]
        async for piece in self._engine.generate(request, context, sampling):
            times.extend([time.perf_counter()] * len(piece.tokens))
            self.came.set()
            yield piece

    async def abort(self, requests: Sequence[str]) -> None:
        """See `TokenEngine`."""
        await self._engine.abort(requests)

    def decode(self, tokens: Sequence[int]) -> str:
        """See `TokenEngine`."""
        return self._engine.decode(tokens)

    async def check_health(self) -> None:
        """See `TokenEngine`."""
        await self._engine.check_health()

    def close(self) -> None:
        """See `TokenEngine`."""
        self._engine.close()


class Stand:
    """Build it inside the event loop that will use it."""

    def __init__(self, engine: TokenEngine, gauge: Gauge, settings: Settings) -> None:
        """``gauge``: the engine's."""
        self._settings = settings
        self._timed = Timed(engine)
        self._equipment = Equipment(settings.engine, self._timed)
        self._runner = Runner(self._equipment.workers, gauge)
        self._runner.broken.add_done_callback(lambda _: self._timed.came.set())
        self._runs = itertools.count(1)
        self._fresh = itertools.count()
        self._ends: dict[int, asyncio.Event] = {}
        self._reporting = asyncio.get_running_loop().create_task(self._report())

    @property
    def info(self) -> ReplicaInfo:
        """What the engine can hold."""
        return self._timed.info

    async def measure(self, window: Window, others: int) -> Sample:
        """One window.

        Raises:
            TimeoutError: the engine gives no tokens, or far too slowly.
            RuntimeError: it is broken.
        """
        contexts = [
            _tokens(f"{window.context}:{n}", window.context) for n in range(window.decoding)
        ]
        prompts = [fresh_tokens(next(self._fresh), window.prompt) for _ in range(window.prompts)]
        async with asyncio.timeout(TIMEOUT_S), self._sequences(contexts) as decoding:
            await self._until(lambda: all(len(times) >= AT_ONCE for times in decoding))
            clock = min(decoding, key=len)
            first, began = len(clock), clock[-1]
            before = sum(map(len, decoding)) // len(decoding)
            async with self._sequences(prompts, limit=1) as started:
                await self._until(lambda: len(clock) >= first + window.steps and all(started))
                steps, seconds = len(clock) - first, clock[-1] - began
        return sample(window, steps, before, seconds, others)

    async def keep_busy(self, window: Window) -> None:
        """Decode without end, until cancelled; sequences end and begin now and then."""

        async def one(number: int) -> None:
            # Not all at once: in real traffic they don't end together either.
            await self._run_alone(number, window, 1 + RENEWED * (number + 1) // window.decoding)
            while True:
                await self._run_alone(number, window, RENEWED)

        async with asyncio.TaskGroup() as group:
            for number in range(window.decoding):
                group.create_task(one(number))

    async def close(self) -> None:
        """End the engine."""
        self._reporting.cancel()
        await self._runner.drop_all()
        await self._equipment.close()
        self._timed.close()

    async def _run_alone(self, number: int, window: Window, limit: int) -> None:
        context = _tokens(f"busy:{number}", window.context)
        async with self._sequences([context], limit=limit) as (times,):
            await self._until(lambda: len(times) >= limit)

    @asynccontextmanager
    async def _sequences(
        self, contexts: Sequence[tuple[int, ...]], limit: int | None = None
    ) -> AsyncIterator[list[list[float]]]:
        """Runs a sequence from each context, which must be unlike those that run; gives the times
        of their tokens, which grow. Ends them."""
        found, runs = [], []
        for context in contexts:
            self._timed.times[context] = []
            found.append(self._timed.times[context])
            runs.append(await self._begin(context, limit))
        try:
            yield found
        finally:
            await self._runner.apply(tuple(Stop(run) for run in runs))
            for run in runs:
                # Of a broken engine nothing ends.
                if not self._runner.broken.done():
                    await self._ends[run].wait()
            await self._runner.apply(tuple(Close(str(run)) for run in runs))
            for run, context in zip(runs, contexts, strict=True):
                del self._ends[run], self._timed.times[context]

    async def _begin(self, context: tuple[int, ...], limit: int | None) -> int:
        run = next(self._runs)
        self._ends[run] = asyncio.Event()
        sampling = Sampling(ignore_eos=True).model_dump(mode="json", exclude={"max_tokens", "seed"})
        most = limit or self.info.max_model_len - len(context)
        opened = Open(str(run), context, sampling, self._settings.model.phrases)
        start = Start(run, str(run), 0, (), (), lease=most, max_tokens=most, read=False)
        await self._runner.apply((opened, start))
        return run

    async def _until(self, done: Any) -> None:
        while not done():
            if self._runner.broken.done():
                raise RuntimeError(f"the engine is broken: {self._runner.broken.result()!r}")
            self._timed.came.clear()
            await self._timed.came.wait()

    async def _report(self) -> None:
        """As `cluster.engine.link` does it, to nobody."""
        reports = Reporting(self._runner, self._settings.engine.report_tokens_s)
        while True:
            report = await reports.next()
            pack(report)
            for news in report.runs:
                if news.end is not None:
                    self._ends[news.run].set()


def fresh_tokens(number: int, count: int) -> tuple[int, ...]:
    """Random tokens that no cache holds: a ``number`` of its own for each."""
    return _tokens(f"fresh:{number}", count)


def _tokens(seed: str, count: int) -> tuple[int, ...]:
    return tuple(Random(seed).choices(range(FIRST_ID, LAST_ID), k=count))
