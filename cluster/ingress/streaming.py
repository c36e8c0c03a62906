"""Server-sent events of a query that is followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Any

import msgspec

from cluster.ingress.chains import Task
from cluster.ingress.errors import ApiError, as_api_error
from cluster.ingress.reasoning import Piece, Splitter
from cluster.ingress.replies import Form
from cluster.ingress.solution import Chain, Solution, progress_info
from cluster.ingress.solving import Event, Solver
from cluster.protocol import TokenDelta
from dynasor.result import Progress

KEEP_ALIVE = b": keep-alive\n\n"
DONE = b"data: [DONE]\n\n"

_encoder = msgspec.json.Encoder()


def event(document: dict[str, Any]) -> bytes:
    """One event."""
    return b"data: " + _encoder.encode(document) + b"\n\n"


class ChainStream:
    """What of one chain has been sent.

    Pieces count tokens, so one that a second replica generates again is told from a new one, and
    one that overtook its predecessor on another connection waits for it. A chain may be made of
    several branches, each shown after the one that it goes on from.
    """

    def __init__(self, task: Task) -> None:
        self.splitter = Splitter(task.marks, task.prompt.thinking)
        self.sent = ""
        self._tokens: dict[int, int] = {}
        self._early: list[TokenDelta] = []

    def take(self, delta: TokenDelta) -> str:
        """The text that may be sent after this piece."""
        self._early.append(delta)
        text = ""
        while (due := next(filter(self._due, self._early), None)) is not None:
            self._early.remove(due)
            self._tokens[due.branch] = due.start + due.count
            text += due.text
        self.sent += text
        return text

    def rest(self, chain: Chain, runs: int) -> str:
        """What the finished chain says beyond what was sent.

        Raises:
            ApiError: after a replica was lost the chain took another turn than what was sent.
        """
        if chain.text.startswith(self.sent):
            return chain.text[len(self.sent) :]
        if self.sent.startswith(chain.text.removesuffix(chain.ending)):
            # The last tokens of a chain that was cut may be known here alone.
            return chain.ending
        if runs > 1:
            message = "a replica was lost, and the text sent so far could not be continued"
            raise ApiError(503, message, "server_error", None, "stream_diverged")
        return chain.ending

    def _due(self, delta: TokenDelta) -> bool:
        known = self._tokens.get(delta.branch)
        if known is None and delta.after is not None:
            branch, tokens = delta.after
            return delta.start == 0 and self._tokens.get(branch, 0) >= tokens
        return delta.start == (known or 0) and (delta.count > 0 or known is None)


class EventWriter:
    """Writes one query's events. ``include_usage``: end with a usage event."""

    def __init__(self, task: Task, form: Form, include_usage: bool) -> None:
        self._task = task
        self._form = form
        self._include_usage = include_usage
        self._chains: dict[int, ChainStream] = {}
        self._choices = range(task.completions or 1)

    def opening(self) -> bytes:
        """The events before all others."""
        openings = [self._form.opening(index) for index in self._choices]
        return b"".join(event(self._form.chunk([item])) for item in openings if item is not None)

    def deltas(self, deltas: list[TokenDelta]) -> bytes:
        """Events of text that arrived."""
        texts: dict[int, str] = {}
        for delta in deltas:
            index = delta.branch if self._task.plain else 0
            texts[index] = texts.get(index, "") + self._chain(index).take(delta)
        return b"".join(self._text(index, text) for index, text in texts.items())

    def progress(self, progress: Progress) -> bytes:
        """The event of a program's progress."""
        info = {
            "algorithm": self._task.submit.query.program.algorithm,
            **progress_info(progress),
        }
        return event(self._form.chunk([self._form.delta(0, Piece())], program=info))

    def ending(self, solution: Solution) -> Iterator[bytes]:
        """The events that end the stream. Raises as `ChainStream.rest`."""
        for index, chain in enumerate(solution.chains):
            yield self._last_text(index, chain, solution)
        extra = {"program": solution.program.model_dump()} if self._form.program else {}
        for index, chain in enumerate(solution.chains):
            yield event(self._form.chunk([self._form.end(index, chain)], **extra))
        if self._include_usage:
            yield event(self._form.chunk([], usage=solution.usage.model_dump()))

    def _last_text(self, index: int, chain: Chain, solution: Solution) -> bytes:
        stream = self._chain(index)
        runs = max((b.runs for b in solution.program.branches), default=1) if stream.sent else 1
        first, last = stream.splitter.feed(stream.rest(chain, runs)), stream.splitter.end()
        pieces = [piece for piece in (first, last) if piece.reasoning or piece.content]
        return b"".join(event(self._form.chunk([self._form.delta(index, p)])) for p in pieces)

    def _text(self, index: int, text: str) -> bytes:
        piece = self._chain(index).splitter.feed(text)
        if not piece.reasoning and not piece.content:
            return b""
        return event(self._form.chunk([self._form.delta(index, piece)]))

    def _chain(self, index: int) -> ChainStream:
        stream = self._chains.get(index)
        if stream is None:
            stream = self._chains[index] = ChainStream(self._task)
        return stream


async def server_sent_events(
    solver: Solver, task: Task, form: Form, *, include_usage: bool
) -> AsyncGenerator[bytes]:
    """The body of a streamed response, in pieces of one or more events.

    An error before the first piece is raised, so that it can still become the response's status;
    a later one is an event.
    """
    writer = EventWriter(task, form, include_usage)
    head = writer.opening()
    opened = False
    try:
        async with aclosing(solver.follow(task)) as happenings:
            async for happened in happenings:
                piece = head + _write(writer, happened)
                if piece:
                    opened, head = True, b""
                    yield piece
    except Exception as error:
        if not opened:
            raise
        yield event(as_api_error(error).body())
    yield DONE


def _write(writer: EventWriter, happened: Event) -> bytes:
    match happened:
        case None:
            return KEEP_ALIVE
        case Progress():
            return writer.progress(happened)
        case Solution():
            return b"".join(writer.ending(happened))
        case deltas:
            return writer.deltas(deltas)
