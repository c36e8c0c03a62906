"""Child processes that answer questions over pipes, one JSON value per line.

A child is a fresh interpreter in a session of its own: unlike a multiprocessing child it never
re-imports the main module of the replica, and starting it never blocks the event loop.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_NICENESS = 5
"""By how much children yield to the engine."""
_START_LIMIT_S = 60.0
_ENDING_S = 2.0
"""Time in which a child must end by itself when its input does."""

_ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


class ChildLost(Exception):
    """The child did not start, or ended before it replied."""


class Child:
    """A child process that answers one question at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(
        cls, module: str, *arguments: str, environment: Mapping[str, str], reply_limit: int
    ) -> Child:
        """Run ``module`` as a program.

        Args:
            environment: variables beside those of this process. One thread for linear algebra and
                a fixed hash seed are always set: what follows set order is the same everywhere.
            reply_limit: most bytes of one reply.

        Raises:
            ChildLost: there is no process to be had.
        """
        # The child must import what this process would, however it came by its paths.
        paths = os.pathsep.join(map(os.path.abspath, sys.path))
        fixed = {"PYTHONPATH": paths, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", module, *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={**os.environ, **_ONE_THREAD, **environment, **fixed},
                limit=reply_limit,
                start_new_session=True,
            )
        except OSError as error:
            raise ChildLost(f"its process could not start: {error}") from error
        with suppress(OSError):  # It may have ended.
            niceness = os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS
            os.setpriority(os.PRIO_PROCESS, process.pid, niceness)
        return cls(process)

    async def ready(self) -> None:
        """Wait for the child's first line, which says that it is ready, or why it can't be.

        Raises:
            ChildLost: it has not become ready, with the reason where it told one.
        """
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                first = await self._reply()
        except TimeoutError as error:
            raise ChildLost(f"its process was not ready in {_START_LIMIT_S:g} s") from error
        if "error" in first:
            raise ChildLost(f"its process could not start: {first['error']}")

    @property
    def running(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """Return the child's reply; sets no time limit.

        After any exception, cancellation included, the child may still be busy: end it.

        Raises:
            ChildLost: the child ended, or its reply is not one.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(question).encode() + b"\n")
            await self._process.stdin.drain()
        except OSError as error:
            raise ChildLost("its process has ended") from error
        return await self._reply()

    async def _reply(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
            if not line.endswith(b"\n"):
                raise ChildLost("its process has ended")
            reply = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ChildLost("its reply can't be read") from error
        if not isinstance(reply, dict):
            raise ChildLost("its reply can't be read")
        return reply

    def kill(self) -> None:
        """Kill the child and all in its process group."""
        if self.running:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Close the child's input, and kill it if it does not end then."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_ENDING_S):
                await self._process.wait()
        except TimeoutError:
            self.kill()
            await self._process.wait()
