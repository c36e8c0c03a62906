"""Sketches of what texts mean, made in a child process beside the engine."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict

from cluster.engine.child import Child, ChildLost

_log = logging.getLogger(__name__)

_BATCH = 16
_TEXT_LENGTH = 4096
"""Characters that are sent; the model reads less."""
_CACHE_SIZE = 2048
_REPLY_LIMIT = 1 << 16


class EmbeddingError(Exception):
    """A text could not be embedded."""


class Embedder:
    """Turns texts into sketches of their sentence embeddings (`dynasor.answers.sketch`).

    The model is all-MiniLM-L6-v2, which reads the first 254 word pieces; each bit of a sketch is
    the side of a random plane on which the embedding lies. Planes are the same everywhere, so that
    sketches of all replicas compare. The child starts with the first text. Texts that come while
    it is busy share its next pass. Belongs to the event loop that first uses it.
    """

    def __init__(self, *, time_limit_s: float = 30.0) -> None:
        """``time_limit_s``: for one text, its wait and a start of the child included."""
        if time_limit_s <= 0:
            raise ValueError("time_limit_s must be positive")
        self._time_limit_s = time_limit_s
        self._child: Child | None = None
        self._waiting: dict[str, asyncio.Future[bytes]] = {}
        self._sketches: OrderedDict[str, bytes] = OrderedDict()
        self._working: asyncio.Task[None] | None = None
        self._closed = False

    async def sketch(self, text: str) -> bytes:
        """Return the 128 bytes of the text's sketch.

        Raises:
            EmbeddingError: it took too long, the child failed, or the embedder is or gets closed.
        """
        # The tokenizer takes no lone surrogates.
        text = text[:_TEXT_LENGTH].encode(errors="replace").decode()
        if text in self._sketches:
            self._sketches.move_to_end(text)
            return self._sketches[text]
        if self._closed:
            raise EmbeddingError("the embedder is closed")
        loop = asyncio.get_running_loop()
        sketch = self._waiting.get(text)
        if sketch is None:
            sketch = self._waiting[text] = loop.create_future()
            # All who asked may have been cancelled.
            sketch.add_done_callback(lambda done: done.exception())
        if self._working is None:
            self._working = loop.create_task(self._work())
        try:
            async with asyncio.timeout(self._time_limit_s):
                # Others may ask for the same text.
                return await asyncio.shield(sketch)
        except TimeoutError as error:
            raise EmbeddingError(f"no embedding within {self._time_limit_s:g} s") from error

    async def close(self) -> None:
        """End the child and wait until it is gone. May be called again."""
        self._closed = True
        if self._working is not None:
            self._working.cancel()
            await asyncio.wait([self._working])
        self._fail(list(self._waiting), "the embedder is closed")
        await self._end_child()

    async def _work(self) -> None:
        """Serve what waits, batch by batch, until nothing does."""
        while self._waiting:
            batch = list(self._waiting)[:_BATCH]
            try:
                async with asyncio.timeout(self._time_limit_s):
                    sketches = await self._asked(batch)
            except (ChildLost, TimeoutError) as error:
                _log.warning("the embedding child failed: %r", error)
                await self._end_child()
                self._fail(batch, f"the embedding child failed: {error!r}")
            else:
                self._succeed(dict(zip(batch, sketches, strict=True)))
        self._working = None

    async def _asked(self, batch: list[str]) -> list[bytes]:
        if self._child is None or not self._child.running:
            self._child = await Child.start(
                "cluster.engine.embedding_child",
                environment={},
                reply_limit=_REPLY_LIMIT,
            )
            await self._child.ready()
        reply = await self._child.ask({"texts": batch})
        if "error" in reply:
            raise ChildLost(reply["error"])
        return [bytes.fromhex(sketch) for sketch in reply["sketches"]]

    def _succeed(self, sketches: dict[str, bytes]) -> None:
        for text, sketch in sketches.items():
            self._waiting.pop(text).set_result(sketch)
            self._sketches[text] = sketch
            if len(self._sketches) > _CACHE_SIZE:
                self._sketches.popitem(last=False)

    def _fail(self, texts: list[str], why: str) -> None:
        for text in texts:
            self._waiting.pop(text).set_exception(EmbeddingError(why))

    async def _end_child(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.end()
