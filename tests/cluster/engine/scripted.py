"""A fake engine that writes a given text, token by token, and honours stop strings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from cluster.engine.generation import Piece
from tests.cluster.engine.fake import FakeEngine

TEXT_IDS = 100


class Scripted(FakeEngine):
    """Token ``TEXT_IDS + i`` is ``tokens[i]``; other ids are their numbers in brackets.

    Every position has the same most probable token's log-probability and confidence.
    """

    def __init__(self, *tokens: str, peak: float = -0.5, confidence: float = 2.0) -> None:
        super().__init__()
        self._tokens = tokens
        self._peak = peak
        self._confidence = confidence

    async def generate(
        self, request: str, context: Sequence[int], sampling: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        self.contexts[request], self.sampling[request] = tuple(context), sampling
        self.live.add(request)
        text = ""
        try:
            for index, token in enumerate(self._tokens[: sampling["max_tokens"]]):
                await asyncio.sleep(0)
                if request in self.aborted:
                    yield Piece((), "", finish="abort")
                    return
                text += token
                met = next((stop for stop in sampling.get("stop", ()) if stop in text), None)
                shown = token if met is None else ""
                measures = ((self._peak,), (self._confidence,)) if "logprobs" in sampling else ()
                finish: Any = None if met is None else "stop"
                yield Piece((TEXT_IDS + index,), shown, *measures, finish=finish, stop_reason=met)
                if met is not None:
                    return
            yield Piece((), "", finish="stop")
        finally:
            self.live.discard(request)

    def decode(self, tokens: Sequence[int]) -> str:
        known = range(TEXT_IDS, TEXT_IDS + len(self._tokens))
        return "".join(
            self._tokens[token - TEXT_IDS] if token in known else f"[{token}]" for token in tokens
        )
