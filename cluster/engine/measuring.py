"""Measures a branch while it is generated: confidences, thoughts, hedge words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from cluster.engine.confidence import Confidence
from cluster.engine.generation import Piece
from cluster.engine.thoughts import Thoughts, hedged
from dynasor.phrases import Phrases
from dynasor.work import Measure, Measured, Thought

logger = logging.getLogger(__name__)

Sketch = Callable[[str], Awaitable[bytes]]
"""Turns a text into the sketch of its embedding."""


class Measuring:
    """What one run measures; a `Meter`."""

    def __init__(
        self, measure: Measure, phrases: Phrases, sketch: Sketch, news: Callable[[], None]
    ) -> None:
        """``news`` is called when a sketch comes that nothing else will report."""
        self._measure = measure
        self._phrases = phrases
        self._sketch = sketch
        self._news = news
        self._confidence = Confidence(measure.group) if measure.group else None
        self._splitter = Thoughts(phrases.thoughts) if measure.thoughts else None
        self._text = ""
        self._peaks = 0.0
        self._positions = 0
        self._ended = False
        self._thoughts: list[Thought] = []
        self._waiting: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
        self._sketching: asyncio.Task[None] | None = None

    @property
    def urgent(self) -> bool:
        """See `Meter`: a thought has ended."""
        return bool(self._thoughts)

    def take_piece(self, piece: Piece, total: int) -> None:
        """Measure what a step added; ``total``: tokens of the branch with it."""
        self._ended = piece.finish is not None
        if self._confidence is not None:
            for value in piece.confidences:
                self._confidence.add(value)
        self._peaks += sum(piece.peaks)
        self._positions += len(piece.peaks)
        if self._measure.hedges:
            self._text += piece.text
        if self._splitter is not None:
            for text, end in self._splitter.feed(piece.text, total):
                self._take_thought(text, end)

    def take(self) -> Measured:
        """See `Meter`."""
        confidence = self._confidence
        thoughts, self._thoughts = tuple(self._thoughts), []
        probable = self._measure.probability and self._positions > 0
        return Measured(
            lowest=None if confidence is None else confidence.lowest,
            # Worth its cost only once.
            bottom=confidence.bottom if confidence is not None and self._ended else None,
            tail=None if confidence is None else confidence.tail,
            mean=None if confidence is None else confidence.mean,
            log_probability=self._peaks / self._positions if probable else None,
            thoughts=thoughts,
            hedged=self._measure.hedges and hedged(self._text, self._phrases.hedges),
        )

    def close(self) -> None:
        """The run has ended: sketches that are not there yet come to nothing."""
        if self._sketching is not None:
            self._sketching.cancel()

    def _take_thought(self, text: str, end: int) -> None:
        if not self._measure.sketches:
            self._thoughts.append(Thought(end))
            return
        self._waiting.put_nowait((text, end))
        if self._sketching is None:
            self._sketching = asyncio.get_running_loop().create_task(self._sketch_all())

    async def _sketch_all(self) -> None:
        while True:
            text, end = await self._waiting.get()
            try:
                self._thoughts.append(Thought(end, await self._sketch(text)))
                self._news()
            except Exception as error:
                logger.warning("a thought could not be embedded and is not compared: %s", error)
