"""Rates chains: by a reward model, or by verifiers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from cluster.engine.generation import RefusedByEngine, ScoringEngine
from cluster.engine.run import Run
from cluster.engine.sandbox import SandboxError, SandboxTimeout
from cluster.engine.verifiers import Verifiers
from dynasor.messages import End, Open, Rate


class Rater(Protocol):
    """Judges chains, many at once; stops when cancelled."""

    async def rate(self, request: str, program: Open, rate: Rate) -> End:
        """The scores. Raises as `Worker.work`."""


class Rating:
    """The `Worker` for `Rate`; ``raters`` by the name of the scorer."""

    def __init__(self, raters: Mapping[str, Rater]) -> None:
        self._raters = raters
        self._tasks: dict[str, asyncio.Task[End]] = {}
        self._stopped: set[str] = set()

    async def work(self, run: Run, news: Callable[[Run], None]) -> End:
        """See `Worker`."""
        rate = run.command
        assert isinstance(rate, Rate)
        if run.taken_back is not None:
            return End("stopped")
        rater = self._raters[rate.scorer]
        task = asyncio.ensure_future(rater.rate(run.request, run.program, rate))
        self._tasks[run.request] = task
        try:
            return await task
        except asyncio.CancelledError:
            task.cancel()
            if run.request in self._stopped:
                return End("stopped")
            raise
        finally:
            del self._tasks[run.request]
            self._stopped.discard(run.request)

    async def stop(self, requests: Sequence[str]) -> None:
        """See `Worker`."""
        for request in requests:
            if request in self._tasks:
                self._stopped.add(request)
                self._tasks[request].cancel()


class RewardRater:
    """Lets a reward model judge a chain at the end of each step, or at its end."""

    def __init__(self, engine: ScoringEngine) -> None:
        self._engine = engine

    async def rate(self, request: str, program: Open, rate: Rate) -> End:
        """See `Rater`."""
        context = (*program.prompt, *rate.tokens)
        positions = [len(context) - 1]
        if rate.steps:
            first = len(program.prompt)
            ends = self._step_ends(rate.tokens, program.phrases.step)
            positions = sorted({first + end for end in ends} | {len(context) - 1})
        scores = await self._engine.score(request, context, positions)
        read = len(context) - scores.cached_tokens
        return End(
            "stop", cached_tokens=scores.cached_tokens, scores=scores.values, read_tokens=read
        )

    def _step_ends(self, tokens: Sequence[int], step: str) -> Iterator[int]:
        """Indexes of the tokens in which a step's phrase is complete."""
        text = ""
        for index, token in enumerate(tokens):
            text += self._engine.decode((token,))
            if step in text:
                text = text.rpartition(step)[2]
                yield index


class VerifierRater:
    """Lets a verifier judge a chain's text."""

    def __init__(
        self, name: str, verifiers: Verifiers, decode: Callable[[Sequence[int]], str]
    ) -> None:
        self._name = name
        self._verifiers = verifiers
        self._decode = decode

    async def rate(self, request: str, program: Open, rate: Rate) -> End:
        """See `Rater`. What a verifier raises, and a limit it exceeds, end its run alone."""
        response = self._decode(rate.tokens)
        try:
            score = await self._verifiers.score(
                self._name, program.question, response, program.reference
            )
        except (SandboxError, SandboxTimeout) as error:
            raise RefusedByEngine(f"verifier {self._name}: {error}") from error
        return End("stop", scores=(score,))
