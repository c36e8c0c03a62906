"""Controller, links and runners in one loop, with fake engines: the shell without Ray."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cluster.controller.shell import Shell
from cluster.engine.link import Link
from cluster.protocol import Refused, pack, unpack_report
from cluster.settings import ControllerSettings
from dynasor.inputs import Submit
from dynasor.journal import replay
from dynasor.messages import ReplicaInfo
from dynasor.query import Query
from dynasor.result import Progress, Result
from dynasor.value.values import ValueModels
from tests.cluster.engine.fake import FakeEngine, LastWord, Sent, runner_of
from tests.waiting import until

FAST = {"replica_timeout_s": 0.4, "poll_hold_s": 0.1, "settle_s": 0.05, "progress_period_s": 0.01}


class Calls:
    """`ControllerCalls` in one process; ``cut`` makes the line fail, ``slow`` delays polls."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.cut = False
        self.reply_order: asyncio.Event | None = None

    def _check(self) -> None:
        if self.cut:
            raise ConnectionError("the line is cut")

    async def attach(self, replica: str, info: ReplicaInfo) -> str:
        self._check()
        return self.shell.attach(replica, info)

    async def detach(self, replica: str) -> None:
        self.shell.detach(replica)

    async def poll(self, replica: str, epoch: str) -> bytes:
        self._check()
        batch = pack(await self.shell.poll(replica, epoch))
        if self.reply_order is not None and len(batch) > 100:
            await self.reply_order.wait()
        self._check()
        return batch

    async def report(self, replica: str, epoch: str, report: bytes) -> bytes:
        self._check()
        return pack(self.shell.report(replica, epoch, unpack_report(report)))


class Cluster:
    """A shell with replicas that can be added and cut off."""

    def __init__(self, **settings: Any) -> None:
        self.sent = Sent()
        self.shell = Shell(ControllerSettings(**{**FAST, **settings}), self.sent)  # type: ignore[arg-type]
        self.engines: dict[str, FakeEngine] = {}
        self.calls: dict[str, Calls] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._ids = itertools.count(1)

    def add(self, name: str, length: int = 10, slots: int = 8) -> FakeEngine:
        engine = self.engines[name] = FakeEngine(length, slots)
        calls = self.calls[name] = Calls(self.shell)
        link = Link(
            name,
            runner_of(engine, LastWord(), self.sent),
            calls,
            tokens_wait_s=0.01,
            call_timeout_s=1.0,
        )
        self._tasks.append(asyncio.get_running_loop().create_task(link.serve(engine.info)))
        return engine

    async def solve(self, **program: Any) -> Result | Refused:
        watched = program.pop("watched", False)
        prompt = program.pop("prompt", (1, 2, 3))
        query = Query(prompt="x", program=program)  # type: ignore[arg-type]
        sink = "tcp://user" if watched else None
        return await self.shell.solve(
            Submit(f"q{next(self._ids)}", query, prompt, sink=sink, watched=watched)
        )

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.shell.close()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    yield made
    await made.close()


def lines_of(folder: Path) -> list[bytes]:
    (log,) = folder.glob("*.jsonl")
    return log.read_bytes().splitlines()


def done(result: Result | Refused) -> Result:
    assert isinstance(result, Result)
    return result


async def test_a_query_is_answered_by_several_replicas(cluster: Cluster) -> None:
    cluster.add("a")
    cluster.add("b")
    await until(lambda: cluster.shell.status().replicas == 2)
    result = done(await cluster.solve(max_branches=8, policy="even"))
    assert result.stop == "complete" and result.answer is not None and result.answer.text == "9"
    assert {branch.replica for branch in result.branches} == {"a", "b"}
    assert result.tokens.kept == 80


async def test_queries_wait_for_the_first_replica(cluster: Cluster) -> None:
    waiting = asyncio.ensure_future(cluster.solve(max_branches=3))
    await until(lambda: cluster.shell.status().programs == 1)
    cluster.add("late")
    assert done(await waiting).answer is not None


async def test_a_replica_whose_line_is_cut_loses_its_branches_to_another(cluster: Cluster) -> None:
    first = cluster.add("a", length=30)
    await until(lambda: cluster.shell.status().replicas == 1)
    first.paused.clear()
    waiting = asyncio.ensure_future(cluster.solve(max_branches=4, policy="even"))
    await until(lambda: len(first.live) == 4)
    cluster.calls["a"].cut = True
    cluster.add("b", length=30)
    result = done(await waiting)
    assert {branch.replica for branch in result.branches} == {"b"}
    assert all(branch.runs == 2 for branch in result.branches)
    await until(lambda: not first.live)


async def test_a_replica_comes_back_after_its_line_was_cut(cluster: Cluster) -> None:
    cluster.add("a")
    await until(lambda: cluster.shell.status().replicas == 1)
    cluster.calls["a"].cut = True
    await until(lambda: cluster.shell.status().replicas == 0)
    cluster.calls["a"].cut = False
    assert done(await cluster.solve(max_branches=2)).stop in ("complete", "certain")


async def test_batches_that_overtake_each_other_are_applied_in_order(cluster: Cluster) -> None:
    engine = cluster.add("a", length=400, slots=2)
    calls = cluster.calls["a"]
    await until(lambda: cluster.shell.status().replicas == 1)
    calls.reply_order = asyncio.Event()
    waiting = asyncio.ensure_future(cluster.solve(max_branches=2, deadline_s=0.2))
    assert done(await waiting).stop == "deadline"
    calls.reply_order.set()
    await until(lambda: cluster.shell.status().programs == 0 and not engine.live)
    assert done(await cluster.solve(max_branches=2, deadline_s=5)).stop != "deadline"


async def test_a_caller_that_leaves_stops_its_program(cluster: Cluster) -> None:
    engine = cluster.add("a")
    engine.paused.clear()
    await until(lambda: cluster.shell.status().replicas == 1)
    waiting = asyncio.ensure_future(cluster.solve(max_branches=4))
    await until(lambda: len(engine.live) == 4)
    waiting.cancel()
    engine.paused.set()
    await until(lambda: not engine.live and cluster.shell.status().programs == 0)


async def test_progress_reaches_the_one_who_watches(cluster: Cluster) -> None:
    cluster.add("a", length=100)
    await until(lambda: cluster.shell.status().replicas == 1)
    await cluster.solve(max_branches=8, watched=True)
    shown = [item for _, item in cluster.sent.items if isinstance(item, Progress)]
    assert shown and all(0 <= item.certaindex.value <= 1 for item in shown)


async def test_overload_is_refused_at_the_door() -> None:
    cluster = Cluster(max_programs=1)
    waiting = asyncio.ensure_future(cluster.solve())
    await until(lambda: cluster.shell.status().programs == 1)
    refused = await cluster.solve()
    assert isinstance(refused, Refused) and "max_programs" in refused.message
    waiting.cancel()
    await cluster.close()


async def test_an_engine_that_refuses_all_branches_gives_a_failed_result(cluster: Cluster) -> None:
    cluster.add("a")
    result = done(await cluster.solve(max_branches=3, prompt=(666,)))
    assert result.stop == "failed"
    assert {branch.message for branch in result.branches} == {"the prompt is cursed"}


async def test_the_event_log_replays_to_the_same_decisions(tmp_path: Path) -> None:
    cluster = Cluster(event_log=tmp_path)
    cluster.add("a")
    cluster.add("b", length=400)
    results = [cluster.solve(max_branches=6, deadline_s=0.5) for _ in range(5)]
    await asyncio.gather(*results)
    await cluster.close()
    settings = ControllerSettings(**{**FAST})  # type: ignore[arg-type]
    assert replay(lines_of(tmp_path), settings) > 20


async def test_a_caller_that_asks_again_joins_its_query(cluster: Cluster) -> None:
    engine = cluster.add("a")
    engine.paused.clear()
    submission = Submit("same", Query(prompt="x"), (1, 2, 3))
    first = asyncio.ensure_future(cluster.shell.solve(submission))
    await until(lambda: len(engine.live) == 5)
    second = asyncio.ensure_future(cluster.shell.solve(submission))
    engine.paused.set()
    assert await first == await second
    assert cluster.shell.status().programs == 0


async def test_a_call_that_never_returns_makes_the_replica_attach_again(cluster: Cluster) -> None:
    cluster.add("a")
    await until(lambda: cluster.shell.status().replicas == 1)
    calls = cluster.calls["a"]
    calls.reply_order = asyncio.Event()
    solving = asyncio.ensure_future(cluster.solve(max_branches=2))
    await until(lambda: cluster.shell.status().replicas == 0)
    calls.reply_order = None
    assert done(await solving).answer is not None


async def test_what_was_meant_for_a_replica_that_died_is_forgotten(cluster: Cluster) -> None:
    shell = cluster.shell
    shell.attach("dead", ReplicaInfo(slots=8, kv_tokens=4096, block_size=16, max_model_len=512))
    waiting = asyncio.ensure_future(cluster.solve(max_branches=2))
    await until(lambda: shell.status().replicas == 0)
    assert not shell._outboxes
    cluster.add("b")
    assert done(await waiting).answer is not None


@pytest.fixture
def full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the next controller's log can be opened but not written."""
    identity = uuid.uuid4()
    monkeypatch.setattr(uuid, "uuid4", lambda: identity)
    (tmp_path / f"{identity.hex[:8]}.jsonl").symlink_to("/dev/full")
    return tmp_path


async def test_a_full_disk_ends_the_event_log_and_no_query(full_disk: Path) -> None:
    cluster = Cluster(event_log=full_disk)
    cluster.add("a")
    assert done(await cluster.solve(max_branches=3)).stop in ("complete", "certain")
    await cluster.close()


async def test_a_replica_can_leave_a_controller_that_is_gone(cluster: Cluster) -> None:
    class Gone(Calls):
        async def detach(self, replica: str) -> None:
            raise ConnectionError("no controller")

    runner = runner_of(FakeEngine(), LastWord(), cluster.sent)
    await Link("a", runner, Gone(cluster.shell), tokens_wait_s=0.01, call_timeout_s=1.0).leave()


async def test_the_numbers_follow_the_programs(cluster: Cluster) -> None:
    assert cluster.shell.stats().programs == 0
    engine = cluster.add("a")
    engine.paused.clear()
    waiting = asyncio.ensure_future(cluster.solve(max_branches=4, policy="even", tenant="me"))
    await until(lambda: len(engine.live) == 4)
    assert cluster.shell.stats().programs == 1 and cluster.shell.stats().running == 4
    engine.paused.set()
    used = done(await waiting).tokens.generated
    stats = cluster.shell.stats()
    assert stats.used == used and stats.granted == stats.used + stats.returned
    assert stats.tenants["me"].tokens == used


async def test_value_models_are_taken_in_and_given(cluster: Cluster) -> None:
    document = ValueModels().document()
    cluster.shell.learn(document)
    assert cluster.shell.learned() == document


async def test_taken_value_models_are_in_the_event_log(tmp_path: Path) -> None:
    cluster = Cluster(event_log=tmp_path)
    cluster.shell.learn(ValueModels().document())
    cluster.add("a")
    await cluster.solve(max_branches=3)
    await cluster.close()
    settings = ControllerSettings(**{**FAST})  # type: ignore[arg-type]
    assert replay(lines_of(tmp_path), settings) > 3


async def test_a_refusal_says_when_to_come_back() -> None:
    cluster = Cluster(max_programs=1)
    waiting = asyncio.ensure_future(cluster.solve())
    await until(lambda: cluster.shell.status().programs == 1)
    refused = await cluster.solve()
    assert isinstance(refused, Refused) and refused.retry_after_s > 0
    waiting.cancel()
    await cluster.close()
