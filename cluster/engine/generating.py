"""Generates branches under their leases on an engine.

A branch is one request of the engine, whatever its lease; when the lease is used up before it was
extended, the request is aborted and the branch reported as waiting for a new one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any, Protocol

import msgspec

from cluster.engine.boundaries import BoxEnd, phrases_of, tokens_before
from cluster.engine.generation import Piece, TokenEngine
from cluster.engine.measuring import Measuring, Sketch
from cluster.engine.run import Run
from cluster.protocol import TokenDelta
from dynasor.answers import Answer
from dynasor.answers.kinds import AnswerKind
from dynasor.messages import End, Start

logger = logging.getLogger(__name__)

UNWATCHED_INTERVAL = 16
"""Tokens that a branch hands over at once where nobody looks at each: handing one over, here and in
the report, costs more than all else that is done for it outside the engine."""

LONG_LEASE = 8 * UNWATCHED_INTERVAL
"""Tokens of a lease from which on it is enough to look that often; it then ends up to one interval
early, so that it is never exceeded. A shorter one is kept to the token."""


class Reader(Protocol):
    """Finds a chain's answer."""

    async def read(
        self, text: str, *, complete: bool, kind: AnswerKind, reference: Any
    ) -> Answer | None: ...


class Sink(Protocol):
    """Takes token text for streaming users."""

    def send(self, address: str, item: TokenDelta) -> None: ...


class Generating:
    """The `Worker` for `Start`."""

    def __init__(self, engine: TokenEngine, reader: Reader, sink: Sink, sketch: Sketch) -> None:
        self._engine = engine
        self._reader = reader
        self._sink = sink
        self._sketch = sketch

    async def work(self, run: Run, news: Callable[[Run], None]) -> End:
        """See `Worker`."""
        start = run.command
        assert isinstance(start, Start)
        if start.max_tokens <= len(start.generated):
            return await self._end(run, start, Piece((), "", finish="length"), "")
        measuring = None
        if start.measure is not None:
            measuring = run.meter = Measuring(
                start.measure, run.program.phrases, self._sketch, lambda: news(run)
            )
        try:
            return await self._generate(run, start, measuring, news)
        finally:
            if measuring is not None:
                measuring.close()

    async def stop(self, requests: Sequence[str]) -> None:
        """See `Worker`."""
        await self._engine.abort(requests)

    async def _generate(
        self, run: Run, start: Start, measuring: Measuring | None, news: Callable[[Run], None]
    ) -> End:
        box = BoxEnd() if "box" in start.until else None
        context = (*run.program.prompt, *start.prefix, *start.generated)
        sampling = _sampling(run, start)
        interval = 1 if _is_watched(run, start, sampling) else UNWATCHED_INTERVAL
        if interval > 1:
            sampling |= {"stream_interval": interval, "detokenize": False}
        pieces = self._engine.generate(run.request, context, sampling)
        if start.show and start.unseen and not start.generated:
            self._show(run, start, Piece((), self._engine.decode(start.prefix[-start.unseen :])))
        if box is not None and start.generated:
            box.feed(self._engine.decode(start.generated))
        text, last = "", Piece((), "", finish="length")
        # So that a cancelled run's request ends now, not when it is garbage-collected.
        async with aclosing(pieces):
            async for piece in pieces:
                last = piece if box is None else _boxed(piece, box)
                if piece.tokens and not run.tokens:
                    run.cached_tokens = piece.cached_tokens
                text += last.text
                self._show(run, start, last)
                if box is not None and box.closed:
                    break
                if last.finish is None:
                    run.tokens.extend(last.tokens)
                    if measuring is not None:
                        measuring.take_piece(last, run.total)
                    news(run)
                    await self._keep_to_lease(run, start.max_tokens, interval)
        if interval > 1 and start.read:
            text = self._engine.decode((*run.tokens, *last.tokens))
        end = await self._end(run, start, last, text)
        # With their end: a branch whose last tokens were known alone could be taken up after its
        # natural end, if this replica died now.
        run.tokens.extend(last.tokens)
        if measuring is not None:
            measuring.take_piece(last, run.total)
        return end

    async def _keep_to_lease(self, run: Run, most: int, interval: int) -> None:
        """Take the branch back if its next tokens would go beyond its lease; ``most`` is where the
        engine ends it by itself."""
        if run.lease < most and run.total + interval > run.lease and run.taken_back is None:
            run.taken_back = "lease"
        if run.taken_back is not None:
            # Again with every piece: an abort before the engine knew the request had no effect.
            await self._engine.abort([run.request])

    def _show(self, run: Run, start: Start, piece: Piece) -> None:
        address = run.program.sink
        if address is None or not start.show or not (piece.tokens or piece.text):
            return
        count = len(piece.tokens)
        delta = TokenDelta(
            run.program.program, start.branch, run.total, count, piece.text, start.after
        )
        self._sink.send(address, delta)

    async def _end(self, run: Run, start: Start, last: Piece, text: str) -> End:
        if last.finish == "abort" or last.finish is None:
            return End(run.taken_back or "stopped", cached_tokens=last.cached_tokens)
        stop, cached = last.stop_reason, last.cached_tokens
        if isinstance(stop, str) and stop not in run.program.sampling.get("stop", ()):
            tokens = (*start.generated, *run.tokens, *last.tokens)
            kept = tokens_before(stop, tokens, self._engine.decode)
            return End("step", stop, kept, cached_tokens=cached)
        answer = None
        if start.read:
            answer = await self._answer(run, start, text, complete=last.finish == "stop")
        return End(last.finish, stop, answer=answer, cached_tokens=cached)

    async def _answer(self, run: Run, start: Start, text: str, *, complete: bool) -> Answer | None:
        program = run.program
        lead = start.prefix[len(start.prefix) - start.injected :] if start.alone else start.prefix
        before = (*lead, *start.generated)
        text = self._engine.decode(before) + text if before else text
        try:
            return await self._reader.read(
                text, complete=complete, kind=program.answers, reference=program.reference
            )
        except Exception:
            # Not the engine's fault: else one such text would end replica after replica.
            logger.exception("an answer could not be read; its chain abstains")
            return None


def _boxed(piece: Piece, box: BoxEnd) -> Piece:
    """The piece as far as the box goes, and as the last one if it closes there."""
    text = box.feed(piece.text)
    if not box.closed:
        return piece
    return msgspec.structs.replace(piece, text=text, finish="stop", stop_reason=None)


def _is_watched(run: Run, start: Start, sampling: dict[str, Any]) -> bool:
    """Whether its text, or each of its tokens, is looked at as it comes."""
    shown = start.show and run.program.sink is not None
    # What the engine itself ends needs nobody to count.
    ends_early = bool(start.until or sampling.get("stop"))
    leased = start.lease - len(start.generated)
    counted = start.lease < start.max_tokens and leased < LONG_LEASE
    return shown or ends_early or counted or start.measure is not None


def _sampling(run: Run, start: Start) -> dict[str, Any]:
    """The program's sampling for what is left of the branch."""
    done = len(start.generated)
    left = start.max_tokens - done
    # The least length is that of a whole chain, as the most is.
    lacking = run.program.sampling.get("min_tokens", 0) - len(start.prefix) - done
    sampling = {
        **run.program.sampling,
        "max_tokens": left,
        "min_tokens": min(left, max(0, lacking)),
        "seed": start.seed,
    }
    if start.alone:
        # What the caller wants of chains would only spoil a probe.
        sampling |= {"min_tokens": 0, "stop": [], "stop_token_ids": [], "ignore_eos": False}
    if start.temperature is not None:
        sampling["temperature"] = start.temperature
    boundaries = phrases_of(start.until, run.program.phrases)
    if boundaries:
        sampling["stop"] = [*sampling.get("stop", ()), *boundaries]
    if start.measure is not None and start.measure.group:
        sampling["logprobs"] = start.measure.top
    elif start.measure is not None and start.measure.probability:
        sampling["logprobs"] = 1
    return sampling
