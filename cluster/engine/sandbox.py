"""Calling code that may hang, crash or eat memory: each call is a process of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from cluster.engine.child import Child, ChildLost

_log = logging.getLogger(__name__)

_LOAD_LIMIT_S = 60.0
_ATTEMPTS = 2
_LATE_S = 5.0
"""How much later than its time limit a worker, on a busy machine, may report that it struck."""
_REPLY_LIMIT = 2 << 20
"""Twice what the child lets a call return."""


class SandboxError(Exception):
    """A call gave no value: it raised, its process died, or the function can't be imported."""


class SandboxTimeout(SandboxError):
    """A call took longer than the time limit, and was killed."""


class _Worker:
    """A child that imports functions once and forks a process for each call."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self._ready = False
        self._loaded: set[str] = set()

    async def load(self, function: str) -> dict[str, Any]:
        """Return the child's reply; raises ``ChildLost`` and ``TimeoutError``."""
        if not self._ready:
            await self.child.ready()
            self._ready = True
        reply: dict[str, Any] = {}
        if function not in self._loaded:
            async with asyncio.timeout(_LOAD_LIMIT_S):
                reply = await self.child.ask({"load": function})
        if "error" not in reply:
            self._loaded.add(function)
        return reply

    async def call(
        self, function: str, arguments: list[Any], time_limit_s: float
    ) -> dict[str, Any]:
        """Return the child's reply; raises ``ChildLost`` and ``TimeoutError``."""
        async with asyncio.timeout(time_limit_s + _LATE_S):
            return await self.child.ask({"call": function, "arguments": arguments})


class Sandbox:
    """Runs functions in processes that are killed at a limit.

    A worker is a fresh interpreter that imports a function once and forks for each call, so that
    no call sees what another one left behind. A call has a time limit, a limit of address space,
    an empty folder of its own to run in, no input, no visible output, no core dumps, small files
    and few open ones. Whatever processes it started die with it. When this process ends, however
    it does, so do the workers and their calls.

    What a call imports or builds is lost with it. A module of functions whose calls need more than
    its import may define ``sandbox_prepare(name)``: it is called once in each worker, with the
    name of the function, before that function is called for the first time.

    This bounds time, memory and accidents. It is not a security boundary against hostile code,
    which runs as the same user, with the same environment, files and network; where callers are
    not trusted, the operator must add one (a container, a user of its own, network rules).

    Belongs to the event loop that first uses it.
    """

    def __init__(self, workers: int, time_limit_s: float, memory_limit_bytes: int) -> None:
        """Set up; workers start when they are first needed, and stay.

        Args:
            workers: calls at once; further ones wait, in order.
            time_limit_s: of one call, from when it has a worker. Importing the function is not
                part of it, and has a limit of its own.
            memory_limit_bytes: address space of each process of a call, imports included.
        """
        if workers < 1 or time_limit_s <= 0 or memory_limit_bytes < 1:
            raise ValueError("workers, time_limit_s and memory_limit_bytes must be positive")
        self._time_limit_s = time_limit_s
        self._arguments = (str(time_limit_s), str(memory_limit_bytes))
        self._free = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._busy: set[_Worker] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def call(self, function: str, arguments: Sequence[Any]) -> Any:
        """Return what ``function`` ("package.module:name") returns for ``arguments``.

        Arguments and value travel as JSON. A cancelled call is killed.

        Raises:
            SandboxTimeout: the call took too long.
            SandboxError: the function can't be imported, raised (with the text of its exception),
                returned what is not JSON or over 1 MiB of it, or its process died.
            TypeError, ValueError: the arguments are not JSON.
            RuntimeError: the sandbox is closed, or closes meanwhile.
        """
        return await self._with_worker(function, list(arguments))

    async def load(self, function: str) -> None:
        """Import ``function`` without calling it.

        Raises:
            SandboxError: it can't be imported, or can't be called; says why.
            RuntimeError: as `call`.
        """
        await self._with_worker(function, None)

    async def close(self) -> None:
        """End all workers and what they run, and wait until they are gone. May be called again."""
        self._closed = True
        for worker in (*self._idle, *self._busy):
            self._let_go(worker)
        self._idle.clear()
        while self._ending:
            await asyncio.wait(self._ending)

    async def _with_worker(self, function: str, arguments: list[Any] | None) -> Any:
        async with self._free:
            for _ in range(_ATTEMPTS):
                if self._closed:
                    break
                try:
                    return await self._attempt(function, arguments)
                except ChildLost as error:
                    lost = error
                    if not self._closed:
                        _log.warning("a sandbox worker is lost, at %s: %s", function, error)
            if self._closed:
                raise RuntimeError("the sandbox is closed")
            raise SandboxError(f"{function}: {lost}") from lost

    async def _attempt(self, function: str, arguments: list[Any] | None) -> Any:
        worker = await self._take()
        try:
            reply = await worker.load(function)
            if "error" not in reply and arguments is not None:
                reply = await worker.call(function, arguments, self._time_limit_s)
        except BaseException as error:
            # Even a cancelled call would be answered some day, to whoever asks next.
            self._let_go(worker)
            if isinstance(error, TimeoutError):
                raise SandboxTimeout(f"{function} took too long, and so did ending it") from error
            raise
        self._put_back(worker)
        if "timeout" in reply:
            raise SandboxTimeout(f"{function} took over {self._time_limit_s:g} s")
        if "error" in reply:
            raise SandboxError(f"{function}: {reply['error']}")
        return reply.get("value")

    async def _take(self) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.child.running:
                self._busy.add(worker)
                return worker
        child = await Child.start(
            "cluster.engine.sandbox_child",
            *self._arguments,
            environment={},
            reply_limit=_REPLY_LIMIT,
        )
        worker = _Worker(child)
        self._busy.add(worker)
        if self._closed:
            self._let_go(worker)
            raise ChildLost("the sandbox is closed")
        return worker

    def _put_back(self, worker: _Worker) -> None:
        self._busy.discard(worker)
        if not self._closed:
            self._idle.append(worker)

    def _let_go(self, worker: _Worker) -> None:
        """End a worker, beside whatever goes on."""
        self._busy.discard(worker)
        ending = asyncio.get_running_loop().create_task(worker.child.end())
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
