"""A scoring replica's engine without a controller: what a reward model's reading costs."""

from __future__ import annotations

import asyncio
import itertools
import time
from math import ceil
from typing import Protocol

from cluster.engine.generation import ScoringEngine
from cluster.engine.load import Gauge
from cluster.engine.rating import Rating, RewardRater
from cluster.engine.runner import Runner
from cluster.settings import RewardSettings
from cluster.sim.profiling.stand import TIMEOUT_S, fresh_tokens
from cluster.sim.profiling.windows import Sample, Window
from dynasor.messages import Close, Open, Rate, ReplicaInfo
from dynasor.phrases import Phrases
from dynasor.work import REWARD


class MeasuredScorer(ScoringEngine, Protocol):
    """`cluster.engine.vllm_scorer.VllmScorer`, or what stands for it."""

    @property
    def gauge(self) -> Gauge: ...

    @property
    def info(self) -> ReplicaInfo: ...

    def close(self) -> None: ...


class ScorerStand:
    """Build it inside the event loop that will use it."""

    def __init__(self, engine: MeasuredScorer, settings: RewardSettings) -> None:
        self._settings = settings
        self._engine = engine
        self._runner = Runner({Rate: Rating({REWARD: RewardRater(engine)})}, engine.gauge)
        self._runs = itertools.count(1)

    @property
    def info(self) -> ReplicaInfo:
        """What the engine can hold."""
        return self._engine.info

    async def measure(self, window: Window, others: int) -> Sample:
        """Judge the window's prompts, all at once, and nothing beside them.

        Raises:
            TimeoutError: the engine gives no scores, or far too slowly.
            RuntimeError: it is broken.
        """
        runs = [next(self._runs) for _ in range(window.prompts)]
        opened = [Open(str(run), fresh_tokens(run, window.prompt), {}, Phrases()) for run in runs]
        rates = [Rate(run, str(run), 0, (), REWARD) for run in runs]
        began = time.perf_counter()
        async with asyncio.timeout(TIMEOUT_S):
            await self._runner.apply((*opened, *rates))
            while self._runner.running:
                await self._runner.news.wait()
                self._runner.take_report()
                if self._runner.broken.done():
                    raise RuntimeError(f"the engine is broken: {self._runner.broken.result()!r}")
                await asyncio.sleep(0)
        seconds = time.perf_counter() - began
        await self._runner.apply(tuple(Close(str(run)) for run in runs))
        tokens = window.prompts * window.prompt
        return Sample(
            steps=ceil(tokens / self._settings.max_num_batched_tokens),
            seconds=seconds,
            decoding=0,
            context_tokens=0,
            started=window.prompts,
            prefill_tokens=tokens,
            attended=tokens * (window.prompt + 1) / 2,
            others=others,
        )

    async def keep_busy(self, window: Window) -> None:
        """Judge such windows without end, until cancelled."""
        while True:
            await self.measure(window, 0)

    async def close(self) -> None:
        """End the engine."""
        await self._runner.drop_all()
        self._engine.close()
