"""Response documents of the two endpoints, whole and in chunks, as vLLM writes them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, ClassVar

from cluster.ingress.reasoning import Piece
from cluster.ingress.solution import Chain, Solution


class Form:
    """One response's documents. ``program``: they tell about the program."""

    prefix: ClassVar[str]
    whole_object: ClassVar[str]
    chunk_object: ClassVar[str]

    def __init__(self, query_id: str, model: str, program: bool) -> None:
        self._id = f"{self.prefix}-{query_id}"
        self._model = model
        self._created = int(time.time())
        self.program = program

    def whole(self, solution: Solution) -> dict[str, Any]:
        """The response to a request that does not stream."""
        choices = [self._choice(index, chain) for index, chain in enumerate(solution.chains)]
        document = self._document(self.whole_object, choices)
        document["usage"] = solution.usage.model_dump()
        if self.program:
            document["program"] = solution.program.model_dump()
        return document

    def chunk(self, choices: Sequence[dict[str, Any]], **extra: Any) -> dict[str, Any]:
        """One event of a stream."""
        return {**self._document(self.chunk_object, choices), **extra}

    def opening(self, index: int) -> dict[str, Any] | None:
        """The choice that begins a stream; None: this endpoint has none."""
        raise NotImplementedError

    def delta(self, index: int, piece: Piece) -> dict[str, Any]:
        """A choice that carries text."""
        raise NotImplementedError

    def end(self, index: int, chain: Chain) -> dict[str, Any]:
        """The choice that ends a chain."""
        choice = self.delta(index, Piece())
        choice["finish_reason"] = chain.finish_reason
        choice["stop_reason"] = chain.stop_reason
        return choice

    def _choice(self, index: int, chain: Chain) -> dict[str, Any]:
        raise NotImplementedError

    def _document(self, kind: str, choices: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": kind,
            "created": self._created,
            "model": self._model,
            "choices": choices,
        }


class ChatForm(Form):
    """`/v1/chat/completions`; reasoning stands in ``reasoning``, as with vLLM."""

    prefix = "chatcmpl"
    whole_object = "chat.completion"
    chunk_object = "chat.completion.chunk"

    def opening(self, index: int) -> dict[str, Any]:
        return self._delta(index, {"role": "assistant", "content": ""})

    def delta(self, index: int, piece: Piece) -> dict[str, Any]:
        delta = {}
        if piece.reasoning:
            delta["reasoning"] = piece.reasoning
        if piece.content:
            delta["content"] = piece.content
        return self._delta(index, delta)

    def _delta(self, index: int, delta: dict[str, Any]) -> dict[str, Any]:
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def _choice(self, index: int, chain: Chain) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": chain.content,
            "refusal": None,
            "reasoning": chain.reasoning,
        }
        return {
            "index": index,
            "message": message,
            "logprobs": None,
            "finish_reason": chain.finish_reason,
            "stop_reason": chain.stop_reason,
        }


class TextForm(Form):
    """`/v1/completions`; only programs have their reasoning split off."""

    prefix = "cmpl"
    whole_object = "text_completion"
    chunk_object = "text_completion"

    def opening(self, index: int) -> None:
        return None

    def delta(self, index: int, piece: Piece) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": index,
            "text": piece.content,
            "logprobs": None,
            "finish_reason": None,
        }
        if piece.reasoning:
            choice["reasoning"] = piece.reasoning
        return choice

    def _choice(self, index: int, chain: Chain) -> dict[str, Any]:
        choice = self.delta(index, Piece(chain.reasoning or "", chain.content))
        choice["finish_reason"] = chain.finish_reason
        choice["stop_reason"] = chain.stop_reason
        return choice
