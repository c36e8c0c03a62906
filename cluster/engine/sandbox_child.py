"""The worker of a `cluster.engine.sandbox.Sandbox`: imports functions, forks for each call.

The worker itself runs no foreign code but imports, so it can always answer, watch the clock, and
notice that its parent is gone.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from typing import Any, NoReturn

TIME_LIMIT_VARIABLE = "SANDBOX_TIME_LIMIT_S"
"""Tells a call, in its environment, how many seconds it has."""

PREPARE = "sandbox_prepare"
"""A module's function that is called after the import, with the name of what is to be called."""

_IMPORT_LIMIT_S = 90.0
"""The parent gives up earlier; this is for when it is gone."""
_VALUE_LIMIT = 1 << 20
_FILE_LIMIT = 16 << 20
_OPEN_FILES = 256
_ERROR_LENGTH = 1000

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


class _ParentGone(Exception):
    """Nobody waits for replies any more."""


class _Keeper:
    """Answers the parent's requests, one after the other."""

    def __init__(self, requests: int, replies: int, time_limit_s: float) -> None:
        self._requests = requests
        self._replies = replies
        self._time_limit_s = time_limit_s
        self._functions: dict[str, Callable[..., Any]] = {}

    def serve(self) -> None:
        """Answer until the requests end."""
        self._reply({"ready": True})
        with suppress(_ParentGone), os.fdopen(os.dup(self._requests), "rb") as lines:
            for line in lines:
                request = json.loads(line)
                if "load" in request:
                    self._reply(self._load(request["load"]))
                else:
                    self._reply(self._call(request["call"], request["arguments"]))

    def _reply(self, reply: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):
            _write(self._replies, json.dumps(reply).encode() + b"\n")

    def _load(self, path: str) -> dict[str, Any]:
        # Left at its default the alarm ends this process, whatever an import is stuck in.
        signal.setitimer(signal.ITIMER_REAL, _IMPORT_LIMIT_S)
        try:
            self._functions[path] = _imported(path)
        except BaseException as error:
            return {"error": f"can't be imported: {_told(error)}"}
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        # Memory that the collector never writes to stays shared with the calls.
        gc.collect()
        gc.freeze()
        return {}

    def _call(self, path: str, arguments: list[Any]) -> dict[str, Any]:
        deadline = time.monotonic() + self._time_limit_s
        folder = tempfile.mkdtemp(prefix="sandbox-")
        reader, writer = os.pipe()
        keeper = os.getpid()
        call = os.fork()
        if call == 0:
            try:
                for descriptor in (reader, self._requests, self._replies):
                    os.close(descriptor)
                _run(self._functions[path], arguments, writer, folder, keeper)
            finally:
                os._exit(1)
        os.close(writer)
        try:
            return self._outcome(call, reader, deadline)
        finally:
            os.close(reader)
            _end_descendants()
            shutil.rmtree(folder, ignore_errors=True)

    def _outcome(self, call: int, reader: int, deadline: float) -> dict[str, Any]:
        poll = select.poll()
        poll.register(reader, select.POLLIN)
        poll.register(self._requests, select.POLLRDHUP)
        line = bytearray()
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            ready = dict(poll.poll(left * 1000)) if left > 0 else {}
            if self._requests in ready:
                raise _ParentGone
            if not ready:
                return {"timeout": True}
            chunk = os.read(reader, 1 << 16)
            if not chunk:
                return {"error": _cause_of_death(call)}
            line += chunk
        reply: dict[str, Any] = json.loads(line)
        return reply


def _imported(path: str) -> Callable[..., Any]:
    module, _, name = path.partition(":")
    if not module or not name:
        raise ValueError("not of the form package.module:name")
    holder = import_module(module)
    function = attrgetter(name)(holder)
    if not callable(function):
        raise TypeError(f"{name} is no function but a {type(function).__name__}")
    prepare = getattr(holder, PREPARE, None)
    if prepare is not None:
        prepare(name)
    return function  # type: ignore[no-any-return]


def _run(
    function: Callable[..., Any], arguments: list[Any], writer: int, folder: str, keeper: int
) -> NoReturn:
    """Call the function in this process, which is its own, and end the process."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    os.chdir(folder)
    try:
        value = json.dumps({"value": function(*arguments)}).encode()
        if len(value) > _VALUE_LIMIT:
            raise ValueError(f"a value of {len(value)} bytes, over {_VALUE_LIMIT}")
    except BaseException as error:
        value = json.dumps({"error": _told(error)}).encode()
    _write(writer, value + b"\n")
    os._exit(0)


def _told(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = ""
    name = type(error).__name__
    return f"{name}: {text}"[:_ERROR_LENGTH] if text else name


def _cause_of_death(call: int) -> str:
    # It may have closed all its files and live on.
    os.kill(call, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(call, 0)[1])
    how = f"was killed by signal {-code}" if code < 0 else f"ended with status {code}"
    return f"its process {how}"


def _end_descendants() -> None:
    """Kill and reap all processes that come from this one."""
    task = f"/proc/self/task/{os.getpid()}/children"
    while True:
        # A subreaper inherits the children of those it kills, so that none is left in the end.
        with open(task, encoding="ascii") as children:
            for child in children.read().split():
                os.kill(int(child), signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _prctl(option: int, value: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _limit(memory_limit_bytes: int) -> None:
    # Not the number of processes: it counts all of the user's, threads and the engine's included.
    limits = {
        resource.RLIMIT_AS: memory_limit_bytes,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: _FILE_LIMIT,
        resource.RLIMIT_NOFILE: _OPEN_FILES,
    }
    for kind, limit in limits.items():
        hard = resource.getrlimit(kind)[1]
        least = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (least, least))


def main(time_limit_s: float, memory_limit_bytes: int) -> None:
    """Serve on standard input and output."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    os.environ[TIME_LIMIT_VARIABLE] = str(time_limit_s)
    requests, replies = os.dup(0), os.dup(1)
    # Foreign code that prints must not write replies, nor read requests.
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    _limit(memory_limit_bytes)
    _Keeper(requests, replies, time_limit_s).serve()


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
