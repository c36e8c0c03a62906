"""Reading answers inside an asyncio program: what takes long is done elsewhere.

Mathematics and programs are parsed in processes of their own (`cluster.engine.answer_child`): the
parsers can hang or eat memory on hostile input and can't be interrupted. The meaning of words and
the behaviour of programs are asked of whoever knows them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any

from cluster.engine.child import Child, ChildLost
from dynasor.answers.answer import READINGS, Answer, found_in
from dynasor.answers.free_text import is_free
from dynasor.answers.kinds import AnswerKind
from dynasor.answers.reading import Found

Embed = Callable[[str], Awaitable[bytes | None]]
"""Gives the sketch of a text's embedding."""

Behave = Callable[[str, str, list[list[Any]]], Awaitable[str | None]]
"""Gives a digest of what a program does (its code, a function's name, the arguments of each call);
None if that is not known."""

_log = logging.getLogger(__name__)

_ATTEMPTS = 2
_WAITS = 5
"""Parsing times that an answer waits for a free worker; starting one takes a while as well."""
_CACHE_SIZE = 4096
_REPLY_LIMIT = 1 << 16


class AnswerReader:
    """Turns chains' texts into answers; simple answers at once, others in a worker process.

    ``timeout_s`` limits the parsing of one answer, `_WAITS` times as much the wait for a free
    worker, so that one query's hard answers can't hold up all others. An answer that takes longer
    is keyed by its text, as one that does not parse is; keys made by the parser
    carry a prefix of their own, so such a key can split a vote but never merge two answers.

    ``embed`` gives free text its sketch, ``behave`` gives programs their key; without them, or
    when they fail, the words and the program's form have the say. Neither is given a time limit
    here.

    Belongs to the event loop that first uses it.
    """

    def __init__(
        self,
        *,
        timeout_s: float = 2.0,
        workers: int = 1,
        embed: Embed | None = None,
        behave: Behave | None = None,
    ) -> None:
        if timeout_s <= 0 or workers < 1:
            raise ValueError("timeout_s must be positive and workers at least 1")
        self._timeout_s = timeout_s
        self._embed = embed
        self._behave = behave
        self._free = asyncio.Semaphore(workers)
        self._idle: list[Child] = []
        self._started: list[Child] = []
        self._keys: OrderedDict[Found, str] = OrderedDict()
        self._closed = False

    async def read(
        self, text: str, *, complete: bool, kind: AnswerKind = "auto", reference: Any = None
    ) -> Answer | None:
        """Return the answer of a chain's text, None if it has none.

        ``complete`` is False for a chain that was cut. Programs are grouped by what they do if
        ``reference`` is ``{"entry": name of a function, "inputs": [[arguments of a call], ...]}``.
        Raises ``RuntimeError`` if the answer needs a worker and the reader is closed, or closes
        meanwhile.
        """
        found = found_in(text, complete=complete, kind=kind)
        if found is None:
            return None
        behaviour = await self._behaviour(found, reference)
        if behaviour is not None:
            return Answer(found.text, behaviour)
        quick = READINGS[found.kind].quick(found.text)
        key = await self._slow_key(found) if quick is None else quick
        return Answer(found.text, key, await self._sketch(found, key))

    async def close(self) -> None:
        """Kill the workers and wait until they are gone. May be called again."""
        self._closed = True
        self._idle.clear()
        for worker in self._started:
            worker.kill()
        for worker in self._started:
            await worker.end()

    async def _behaviour(self, found: Found, reference: Any) -> str | None:
        calls = _calls(reference)
        if self._behave is None or found.kind != "code" or calls is None:
            return None
        try:
            digest = await self._behave(found.text, *calls)
        except Exception:
            _log.exception("a program could not be tried; its form is its key")
            return None
        return None if digest is None else f"behaviour:{digest}"

    async def _sketch(self, found: Found, key: str) -> bytes | None:
        if self._embed is None or found.kind != "text" or not is_free(key):
            return None
        try:
            return await self._embed(found.text)
        except Exception:
            _log.exception("an answer could not be embedded; its words are its key")
            return None

    async def _slow_key(self, found: Found) -> str:
        if found not in self._keys:
            try:
                async with asyncio.timeout(_WAITS * self._timeout_s):
                    await self._free.acquire()
            except TimeoutError:
                _log.warning("no worker was free for an answer: %.100r", found.text)
                return _rough(found)
            try:
                # Chains of one query often agree: the one before this one may have just asked.
                if found not in self._keys:
                    return await self._asked(found)
            finally:
                self._free.release()
        self._keys.move_to_end(found)
        return self._keys[found]

    async def _asked(self, found: Found) -> str:
        for _ in range(_ATTEMPTS):
            if self._closed:
                break
            try:
                key = await self._ask(found)
            except ChildLost as error:
                if not self._closed:
                    _log.warning("an answer worker is lost: %s", error)
                continue
            except TimeoutError:
                _log.warning("an answer took over %g s: %.100r", self._timeout_s, found.text)
                key = _rough(found)
            self._keys[found] = key
            if len(self._keys) > _CACHE_SIZE:
                self._keys.popitem(last=False)
            return key
        if self._closed:
            raise RuntimeError("the answer reader is closed")
        # Perhaps this answer kills workers; perhaps the machine does. Not worth remembering.
        return _rough(found)

    async def _ask(self, found: Found) -> str:
        worker = self._idle.pop() if self._idle else None
        try:
            if worker is None:
                worker = await self._new_worker()
                await worker.ready()
            async with asyncio.timeout(self._timeout_s):
                reply = await worker.ask(found._asdict())
        except BaseException:
            # Even a cancelled question would be answered some day, to whoever asks next.
            if worker is not None:
                worker.kill()
            raise
        self._idle.append(worker)
        key: str = reply["key"]
        return key

    async def _new_worker(self) -> Child:
        # A child kills itself should one answer outlast the limit with nobody there to see.
        limit_s = str(2 * self._timeout_s + 1)
        worker = await Child.start(
            "cluster.engine.answer_child", limit_s, environment={}, reply_limit=_REPLY_LIMIT
        )
        self._started = [old for old in self._started if old.running] + [worker]
        if self._closed:
            worker.kill()
            await worker.end()
            raise ChildLost("the answer reader is closed")
        return worker


def _rough(found: Found) -> str:
    return READINGS[found.kind].rough(found.text)


def _calls(reference: Any) -> tuple[str, list[list[Any]]] | None:
    """Return the function and the arguments of each call, if a reference gives them."""
    match reference:
        case {"entry": str(entry), "inputs": [*inputs]} if inputs:
            arguments = [one for one in inputs if isinstance(one, list)]
            return (entry, arguments) if len(arguments) == len(inputs) else None
    return None
