"""Calls that hang, crash, eat memory or leave things behind."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import psutil
import pytest
import pytest_asyncio

from cluster.engine.sandbox import Sandbox, SandboxError, SandboxTimeout

VICTIMS = "tests.cluster.engine.victims"
MEMORY = 512 << 20


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(1, 20.0, MEMORY)
    yield sandbox
    await sandbox.close()


@pytest_asyncio.fixture
async def hasty() -> AsyncIterator[Sandbox]:
    sandbox = Sandbox(1, 1.0, MEMORY)
    yield sandbox
    await sandbox.close()


def workers(parent: psutil.Process | None = None) -> list[psutil.Process]:
    found = []
    for child in (parent or psutil.Process()).children():
        with suppress(psutil.Error):  # A child may end while it is looked at.
            if "cluster.engine.sandbox_child" in child.cmdline():
                found.append(child)
    return found


def sleepers(mark: str) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        line = " ".join(process.info["cmdline"] or ())
        if mark in line and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(process.pid)
    return found


async def until_gone(*pids: int) -> None:
    async with asyncio.timeout(10):
        while any(map(psutil.pid_exists, pids)):  # noqa: ASYNC110 - a process's end sets no event
            await asyncio.sleep(0.01)


async def test_a_call_returns_what_the_function_returns(sandbox: Sandbox) -> None:
    assert await sandbox.call("operator:add", [[1, None], ["é\ud800", {"a": 0.5}]]) == [
        *(1, None),
        *("é\ud800", {"a": 0.5}),
    ]
    assert await sandbox.call("os:path.basename", ["a/b"]) == "b"


async def test_what_a_call_raises_is_told(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="victims:fail: LookupError: not here"):
        await sandbox.call(f"{VICTIMS}:fail", ["not here"])
    with pytest.raises(SandboxError, match="Odd"):
        await sandbox.call(f"{VICTIMS}:untellable", [])
    with pytest.raises(SandboxError, match="SystemExit"):
        await sandbox.call("sys:exit", [1])
    with pytest.raises(SandboxError, match="not JSON serializable"):
        await sandbox.call("builtins:object", [])
    with pytest.raises(SandboxError, match="missing 1 required"):
        await sandbox.call(f"{VICTIMS}:fail", [])
    with pytest.raises(SandboxError, match="2097165 bytes, over 1048576"):
        await sandbox.call("operator:mul", ["a", 2 << 20])
    assert len(workers()) == 1


@pytest.mark.parametrize(
    ("function", "why"),
    [
        ("no_such_package.x:y", "ModuleNotFoundError: No module named 'no_such_package'"),
        ("os:no_such_name", "AttributeError: .*no_such_name"),
        (f"{VICTIMS}:not_a_function", "TypeError: not_a_function is no function but a int"),
        ("os", "ValueError: not of the form package.module:name"),
        (":x", "ValueError: not of the form package.module:name"),
    ],
)
async def test_a_wrong_path_is_refused_with_the_reason(
    sandbox: Sandbox, function: str, why: str
) -> None:
    with pytest.raises(SandboxError, match=f"can't be imported: {why}"):
        await sandbox.load(function)
    with pytest.raises(SandboxError, match=why):
        await sandbox.call(function, [])
    await sandbox.load("operator:add")


async def test_arguments_that_are_not_json_are_the_callers_mistake(sandbox: Sandbox) -> None:
    with pytest.raises(TypeError):
        await sandbox.call("operator:add", [object(), 1])
    assert await sandbox.call("operator:add", [1, 1]) == 2


async def test_a_hanging_call_is_killed_at_the_limit_whatever_it_ignores(hasty: Sandbox) -> None:
    await hasty.load(f"{VICTIMS}:deaf")
    before = time.monotonic()
    with pytest.raises(SandboxTimeout, match="victims:deaf took over 1 s"):
        await hasty.call(f"{VICTIMS}:deaf", [1000])
    assert 0.9 < time.monotonic() - before < 4
    assert await hasty.call("operator:add", [1, 1]) == 2


async def test_memory_files_and_dead_processes_end_the_call_alone(sandbox: Sandbox) -> None:
    await sandbox.load("operator:add")
    before = workers()
    with pytest.raises(SandboxError, match="MemoryError"):
        await sandbox.call(f"{VICTIMS}:eat", [MEMORY])
    assert await sandbox.call(f"{VICTIMS}:eat", [MEMORY // 16]) == MEMORY // 16
    with pytest.raises(SandboxError, match="File too large"):
        await sandbox.call(f"{VICTIMS}:write_file", [64 << 20])
    with pytest.raises(SandboxError, match="killed by signal 6"):
        await sandbox.call("os:abort", [])
    with pytest.raises(SandboxError, match="ended with status 3"):
        await sandbox.call("os:_exit", [3])
    with pytest.raises(SandboxError, match="its process"):
        await sandbox.call("os:closerange", [3, 100])
    assert workers() == before


async def test_a_call_runs_in_an_empty_folder_niced_and_in_fixed_order(sandbox: Sandbox) -> None:
    first = await sandbox.call(f"{VICTIMS}:surroundings", [])
    await sandbox.call(f"{VICTIMS}:write_file", [10])
    second = await sandbox.call(f"{VICTIMS}:surroundings", [])
    assert first["files"] == second["files"] == []
    assert first["folder"] != second["folder"]
    assert not os.path.exists(first["folder"])  # noqa: ASYNC240
    assert first["niceness"] > os.nice(0)
    other = Sandbox(1, 1.0, MEMORY)
    third = await other.call(f"{VICTIMS}:surroundings", [])
    await other.close()
    assert first["order"] == third["order"]


async def test_what_a_call_prints_is_no_reply_and_it_has_no_input(sandbox: Sandbox) -> None:
    assert await sandbox.call(f"{VICTIMS}:noisy", []) == ""


async def test_calls_share_a_worker_and_see_nothing_of_each_other(sandbox: Sandbox) -> None:
    assert [await sandbox.call(f"{VICTIMS}:calls_seen", []) for _ in range(3)] == [1, 1, 1]
    pids = {await sandbox.call(f"{VICTIMS}:pid", []) for _ in range(3)}
    assert len(pids) == 3
    assert len(workers()) == 1


async def test_a_module_prepares_each_function_once(sandbox: Sandbox) -> None:
    await sandbox.load(f"{VICTIMS}:fail")
    for _ in range(2):
        assert await sandbox.call(f"{VICTIMS}:prepared", []) == ["fail", "prepared"]


@pytest.mark.parametrize("hang", [False, True])
async def test_processes_and_threads_that_a_call_started_end_with_it(
    sandbox: Sandbox, hasty: Sandbox, hang: bool
) -> None:
    mark = f"987{os.getpid()}{int(hang)}"
    if hang:
        with pytest.raises(SandboxTimeout):
            await hasty.call(f"{VICTIMS}:with_children", [mark, True])
    else:
        assert await sandbox.call(f"{VICTIMS}:with_children", [mark, False]) == "done"
        assert await sandbox.call(f"{VICTIMS}:with_thread", []) == "done"
    assert sleepers(mark) == []


async def test_a_killed_worker_is_replaced(sandbox: Sandbox) -> None:
    await sandbox.load("operator:add")
    (before,) = workers()
    before.kill()
    assert await sandbox.call("operator:add", [1, 2]) == 3
    assert workers() != [before]


async def test_a_call_that_kills_its_worker_fails_alone(sandbox: Sandbox) -> None:
    with pytest.raises(SandboxError, match="kill_worker: its process has ended"):
        await sandbox.call(f"{VICTIMS}:kill_worker", [])
    assert await sandbox.call("operator:add", [1, 2]) == 3


async def test_a_cancelled_call_is_killed_and_its_worker_never_used_again(sandbox: Sandbox) -> None:
    mark = f"986{os.getpid()}"
    await sandbox.load(f"{VICTIMS}:with_children")
    (worker,) = workers()
    call = asyncio.create_task(sandbox.call(f"{VICTIMS}:with_children", [mark, True]))
    async with asyncio.timeout(5):
        while len(sleepers(mark)) < 3:  # noqa: ASYNC110 - a process's start sets no event
            await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await sandbox.call("operator:add", [1, 2]) == 3
    await until_gone(worker.pid)
    assert sleepers(mark) == []


async def test_a_call_may_be_cancelled_at_any_time(sandbox: Sandbox) -> None:
    for delay_s in (0, 0.001, 0.01, 0.05, 0.2):
        call = asyncio.create_task(sandbox.call("time:sleep", [0.1]))
        await asyncio.sleep(delay_s)
        call.cancel()
        with suppress(asyncio.CancelledError):
            await call
        assert await sandbox.call("operator:add", [1, 2]) == 3


async def test_so_many_calls_run_at_once_as_there_are_workers() -> None:
    sandbox = Sandbox(2, 5.0, MEMORY)
    await asyncio.gather(*(sandbox.call("time:sleep", [0.1]) for _ in range(2)))
    before = time.monotonic()
    await asyncio.gather(*(sandbox.call("time:sleep", [0.2]) for _ in range(4)))
    assert time.monotonic() - before >= 0.4
    assert len(workers()) == 2
    await sandbox.close()


async def test_closing_ends_calls_and_workers() -> None:
    sandbox = Sandbox(1, 30.0, MEMORY)
    await sandbox.load("time:sleep")
    pids = [worker.pid for worker in workers()]
    running = asyncio.create_task(sandbox.call("time:sleep", [30]))
    waiting = asyncio.create_task(sandbox.call("time:sleep", [30]))
    await asyncio.sleep(0.1)
    await sandbox.close()
    await sandbox.close()
    assert not any(map(psutil.pid_exists, pids))
    for call in (running, waiting, sandbox.call("time:sleep", [30])):
        with pytest.raises(RuntimeError, match="closed"):
            await call
    assert workers() == []


async def test_calls_end_when_their_parent_is_killed() -> None:
    mark = f"985{os.getpid()}"
    script = (
        "import asyncio\nfrom cluster.engine.sandbox import Sandbox\n"
        f"sandbox = Sandbox(1, 60, {MEMORY})\n"
        f"asyncio.run(sandbox.call('{VICTIMS}:with_children', ['{mark}', True]))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", script], env=environment
    )
    try:
        async with asyncio.timeout(10):
            # The script itself shows the mark as well.
            while len(sleepers(mark)) < 4:  # noqa: ASYNC110 - a process's start sets no event
                await asyncio.sleep(0.02)
        (worker,) = workers(psutil.Process(parent.pid))
    finally:
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    await until_gone(worker.pid)
    assert sleepers(mark) == []


def test_senseless_limits_are_refused() -> None:
    for limits in ((0, 1.0, MEMORY), (1, 0.0, MEMORY), (1, 1.0, 0)):
        with pytest.raises(ValueError, match="must be positive"):
            Sandbox(*limits)
