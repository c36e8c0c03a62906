"""A fake engine: counts upwards one token a step, under the test's control."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from cluster.engine.generating import Generating, Reader
from cluster.engine.generation import Piece, RefusedByEngine
from cluster.engine.load import Gauge
from cluster.engine.runner import Runner
from dynasor.answers import Answer
from dynasor.messages import ReplicaInfo, Start


class FakeEngine:
    """Each step gives every sequence one token, its position; a sequence ends after ``length``.

    Steps happen whenever somebody awaits, unless ``paused``. Half of a context is found cached. A
    prompt that holds token 666 is refused; a ``failure`` breaks the engine for all.
    ``last_with_end``: the last token comes together with the end.
    """

    def __init__(self, length: int = 10, slots: int = 8) -> None:
        self.length = length
        self.info = ReplicaInfo(slots=slots, kv_tokens=4096, block_size=16, max_model_len=512)
        self.paused = asyncio.Event()
        self.paused.set()
        self.aborted: set[str] = set()
        self.live: set[str] = set()
        self.contexts: dict[str, tuple[int, ...]] = {}
        self.sampling: dict[str, dict[str, Any]] = {}
        self.failure: Exception | None = None
        self.last_with_end = False
        self.gauge = Gauge()

    async def generate(
        self, request: str, context: Sequence[int], sampling: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        if 666 in context:
            raise RefusedByEngine("the prompt is cursed")
        self.contexts[request], self.sampling[request] = tuple(context), sampling
        self.live.add(request)
        try:
            count, cached = min(self.length, sampling["max_tokens"]), len(context) // 2
            for position in range(count):
                await self.paused.wait()
                await asyncio.sleep(0)
                if self.failure is not None:
                    raise self.failure
                if request in self.aborted:
                    yield Piece((), "", finish="abort")
                    return
                if self.last_with_end and position == count - 1:
                    yield Piece((position,), f"{position} ", finish="stop", cached_tokens=cached)
                    return
                yield Piece((position,), f"{position} ", cached_tokens=cached)
            short = sampling["max_tokens"] < self.length
            yield Piece((), "", finish="length" if short else "stop", cached_tokens=cached)
        finally:
            self.live.discard(request)

    async def abort(self, requests: Sequence[str]) -> None:
        self.aborted.update(requests)

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(f"{token} " for token in tokens)

    async def check_health(self) -> None:
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        self.aborted.update(self.live)


class LastWord:
    """Reads the last word of a chain as its answer."""

    async def read(self, text: str, *, complete: bool, **how: Any) -> Answer | None:
        words = text.split()
        return Answer(words[-1], words[-1]) if words and complete else None


class Sent:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.items: list[tuple[str, Any]] = []

    def send(self, address: str, item: Any) -> None:
        self.items.append((address, item))


def runner_of(engine: FakeEngine, reader: Reader, sent: Sent) -> Runner:
    """A runner that generates; the sketch of a thought is its text."""

    async def sketch(text: str) -> bytes:
        return text.encode()

    return Runner({Start: Generating(engine, reader, sent, sketch)}, engine.gauge)
