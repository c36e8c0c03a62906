"""Reading answers inside an asyncio program, with the slow parsing in processes of its own.

The parser can hang or eat memory on hostile input and cannot be interrupted, so it runs in a
child process that is killed at its time limit. The child is a fresh interpreter spoken to over
pipes, one JSON string per line: unlike a multiprocessing child it never re-imports the main
module of the replica, and starting it never blocks the event loop.
"""

import asyncio
import json
import logging
import os
import resource
import signal
import sys
from collections import OrderedDict
from contextlib import suppress

from dynasor.answers import Answer, canonical, normalize, plain, readable

_log = logging.getLogger(__name__)

_START_LIMIT_S = 60.0
_ATTEMPTS = 2
_WAITS = 5
"""Parsing times that an answer waits for a free worker; starting one takes a while as well."""
_CACHE_SIZE = 4096
_MEMORY_LIMIT = 2 << 30
_NICENESS = 5


class _WorkerLostError(Exception):
    """The worker did not start, or died before it replied."""


class _Worker:
    """A child process that turns one answer at a time into its key."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, timeout_s: float) -> "_Worker":
        """Start a child that kills itself should one answer outlast ``timeout_s`` unattended."""
        # The child must import what this process would, however it came by its paths. A fixed
        # hash seed keeps anything that follows set order the same in all replicas.
        paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", __name__, str(2 * timeout_s + 1)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": "0"},
        )
        return cls(process)

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    async def ready(self) -> None:
        """Wait until the child has imported its parser; raises ``_WorkerLostError``."""
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                await self._reply()
        except TimeoutError as error:
            raise _WorkerLostError from error

    async def key(self, answer: str, timeout_s: float) -> str:
        """Return the key of ``answer``; raises ``TimeoutError`` or ``_WorkerLostError``.

        After any exception, cancellation included, the child may still be busy: kill it.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(answer).encode() + b"\n")
            await self._process.stdin.drain()
        except OSError as error:
            raise _WorkerLostError from error
        async with asyncio.timeout(timeout_s):
            return await self._reply()

    async def _reply(self) -> str:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line.endswith(b"\n"):
            raise _WorkerLostError
        reply = json.loads(line)
        assert isinstance(reply, str)
        return reply

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self._process.kill()

    async def reaped(self) -> None:
        await self._process.wait()


class AnswerReader:
    """Turns chains' texts into answers; simple answers at once, mathematics in a worker process.

    ``timeout_s`` limits the parsing of one answer, `_WAITS` times as much the wait for a free
    worker, so that one query's hard answers can't hold up all others. An answer that takes longer
    is keyed by its text, as one that does not parse is; keys made by the parser
    carry a prefix of their own, so such a key can split a vote but never merge two answers.
    Belongs to the event loop that first uses it.
    """

    def __init__(self, *, timeout_s: float = 2.0, workers: int = 1) -> None:
        if timeout_s <= 0 or workers < 1:
            raise ValueError("timeout_s must be positive and workers at least 1")
        self._timeout_s = timeout_s
        self._free = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._started: list[_Worker] = []
        self._keys: OrderedDict[str, str] = OrderedDict()
        self._closed = False

    async def read(self, text: str, *, complete: bool) -> Answer | None:
        """Return the answer of a chain's text, None if it has none.

        ``complete`` is False for a chain that was cut. Raises ``RuntimeError`` if the answer
        needs a worker and the reader is closed, or closes meanwhile.
        """
        answer = readable(text, complete=complete)
        if answer is None:
            return None
        key = normalize(answer)
        return Answer(answer, await self._slow_key(answer) if key is None else key)

    async def close(self) -> None:
        """Kill the workers and wait until they are gone. May be called again."""
        self._closed = True
        self._idle.clear()
        for worker in self._started:
            worker.kill()
        for worker in self._started:
            await worker.reaped()

    async def _slow_key(self, answer: str) -> str:
        if answer not in self._keys:
            try:
                async with asyncio.timeout(_WAITS * self._timeout_s):
                    await self._free.acquire()
            except TimeoutError:
                _log.warning("no worker was free for an answer: %.100r", answer)
                return plain(answer)
            try:
                # Chains of one query often agree: the one before this one may have just asked.
                if answer not in self._keys:
                    return await self._asked(answer)
            finally:
                self._free.release()
        self._keys.move_to_end(answer)
        return self._keys[answer]

    async def _asked(self, answer: str) -> str:
        for _ in range(_ATTEMPTS):
            if self._closed:
                break
            try:
                key = await self._ask(answer)
            except _WorkerLostError:
                _log.warning("an answer worker died; replacing it")
                continue
            except TimeoutError:
                _log.warning("an answer took over %g s to parse: %.100r", self._timeout_s, answer)
                key = plain(answer)
            self._keys[answer] = key
            if len(self._keys) > _CACHE_SIZE:
                self._keys.popitem(last=False)
            return key
        if self._closed:
            raise RuntimeError("the answer reader is closed")
        # Perhaps this answer kills workers; perhaps the machine does. Not worth remembering.
        return plain(answer)

    async def _ask(self, answer: str) -> str:
        worker = self._idle.pop() if self._idle else None
        try:
            if worker is None:
                worker = await self._new_worker()
                await worker.ready()
            key = await worker.key(answer, self._timeout_s)
        except BaseException:
            # Even a cancelled question would be answered some day, to whoever asks next.
            if worker is not None:
                worker.kill()
            raise
        self._idle.append(worker)
        return key

    async def _new_worker(self) -> _Worker:
        try:
            worker = await _Worker.start(self._timeout_s)
        except OSError as error:
            raise _WorkerLostError from error
        self._started = [old for old in self._started if old.running] + [worker]
        if self._closed:
            worker.kill()
            await worker.reaped()
            raise _WorkerLostError
        return worker


def _serve(limit_s: float) -> None:
    """Answer the questions on standard input until it ends."""
    os.nice(_NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_LIMIT, _MEMORY_LIMIT))
    # A library that prints must not end up in the replies.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    # The first parse imports and builds tables for a second: not on any answer's time.
    print(json.dumps(canonical("x(x+1)")), file=replies, flush=True)
    for line in sys.stdin.buffer:
        # Left at its default the alarm ends the process, which matters if the parent is gone.
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        key = canonical(json.loads(line))
        signal.setitimer(signal.ITIMER_REAL, 0)
        print(json.dumps(key), file=replies, flush=True)


if __name__ == "__main__":
    _serve(float(sys.argv[1]))
