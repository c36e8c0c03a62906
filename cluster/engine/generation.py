"""What runners need of engines; `vllm_engine` and `vllm_scorer` are those that exist."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any, Literal, Protocol

import msgspec

from dynasor.messages import ReplicaInfo


class Piece(msgspec.Struct, frozen=True):
    """What a step of the engine added to one sequence.

    Attributes:
        peaks: log-probability of the most probable token at each position, where it was asked for
            and the engine gave it.
        confidences: minus the mean log-probability of the most probable tokens there, likewise.
        finish: why the sequence has ended; "abort": on request; None: it has not.
        cached_tokens: leading tokens of the context that the prefix cache supplied.
    """

    tokens: tuple[int, ...]
    text: str
    peaks: tuple[float, ...] = ()
    confidences: tuple[float, ...] = ()
    finish: Literal["stop", "length", "abort"] | None = None
    stop_reason: str | int | None = None
    cached_tokens: int = 0


class RefusedByEngine(ValueError):
    """The engine does not take this request (too long, bad parameters); it stays healthy."""


class Scores(msgspec.Struct, frozen=True):
    """Scores in [0, 1], and how many leading tokens of the context the prefix cache supplied."""

    values: tuple[float, ...]
    cached_tokens: int = 0


class ScoringEngine(Protocol):
    """A reward model, asked many times at once."""

    async def score(self, request: str, context: Sequence[int], positions: Sequence[int]) -> Scores:
        """Scores of a context after each of the given tokens; ends early when cancelled.

        Args:
            request: unique name.
            context: token ids.
            positions: indexes into the context, ascending. The last token alone is the cheap case:
                what the prefix cache holds is not computed again.

        Raises:
            RefusedByEngine: the request can't be served.
            Exception: anything else; the engine is broken.
        """

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of token ids."""


class TokenEngine(Protocol):
    """Generates token sequences, many at once."""

    @property
    def info(self) -> ReplicaInfo:
        """What it can hold."""

    def generate(
        self, request: str, context: Sequence[int], sampling: dict[str, Any]
    ) -> AsyncGenerator[Piece]:
        """Continue ``context``. The last piece has ``finish`` set.

        ``sampling`` are vLLM's sampling parameters; with ``logprobs`` above 0 pieces carry
        ``peaks``, and ``confidences`` over so many tokens; without ``detokenize`` they have no
        text.

        Raises:
            RefusedByEngine: the request can't be served.
            Exception: anything else; the engine is broken.
        """

    async def abort(self, requests: Sequence[str]) -> None:
        """End sequences; each still yields what it has, then a piece with finish "abort"."""

    def decode(self, tokens: Sequence[int]) -> str:
        """Text of token ids."""

    async def check_health(self) -> None:
        """Raises when the engine is broken."""

    def close(self) -> None:
        """Free what it holds."""
