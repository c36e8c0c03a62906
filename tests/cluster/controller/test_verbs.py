"""What crosses between the controller and those who call it, over a real connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from cluster.calls import ControllerLine
from cluster.controller.shell import Shell
from cluster.controller.verbs import verbs
from cluster.ingress.controller import ControllerLost
from cluster.ingress.deployment import RemoteController
from cluster.protocol import News, Refused, Status, pack, unpack_batch, unpack_submit
from cluster.rpc.caller import PeerLost
from cluster.rpc.server import Server
from cluster.settings import ControllerSettings
from cluster.stream import Sender
from dynasor.inputs import Attach, Submit
from dynasor.messages import End, Open, ReplicaInfo, Report, RunReport, Start
from dynasor.phrases import Phrases
from dynasor.query import Query
from dynasor.result import Result
from dynasor.token_ids import pack_tokens
from tests.waiting import until

INFO = ReplicaInfo(slots=4, kv_tokens=4096, block_size=16, max_model_len=512)


def submission(query_id: str = "q", **fields: Any) -> Submit:
    query = Query.model_validate({"prompt": "Hm?", "program": {"algorithm": "sample"}, **fields})
    return Submit(query_id, query, (1, 2, 3), phrases=Phrases(step="\n\n"), injections={"x": (4,)})


class Address:
    """A Serve handle, as far as a line needs one."""

    def __init__(self) -> None:
        self.now = ""
        self.asked = 0

    @property
    def address(self) -> Address:
        return self

    async def remote(self) -> str:
        self.asked += 1
        return self.now


class Cluster:
    """A controller that listens, and a line to it."""

    def __init__(self) -> None:
        self.address = Address()
        self.line = ControllerLine(cast(Any, self.address))
        self.shell: Shell
        self.server: Server

    async def start(self) -> None:
        self.shell = Shell(ControllerSettings(), Sender())
        self.server = Server(verbs(self.shell))
        await self.server.start("127.0.0.1")
        self.address.now = self.server.address

    async def stop(self) -> None:
        await self.server.close()
        self.shell.close()


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    await made.start()
    yield made
    await made.stop()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sampling": {"max_tokens": 7, "ignore_eos": True, "stop": ("x",), "temperature": 0.5}},
        {"program": {"algorithm": "self_consistency", "max_branches": 8, "policy": "beta"}},
        {"program": {"algorithm": "sample", "deadline_s": 2.5, "tenant": "research"}},
    ],
)
def test_a_query_is_the_same_on_the_other_side(fields: dict[str, Any]) -> None:
    sent = submission(**fields)
    assert unpack_submit(pack(sent)) == sent


async def test_a_query_is_solved_by_a_replica_over_the_line(cluster: Cluster) -> None:
    remote = RemoteController(cluster.line)
    epoch = (await cluster.line.call("attach", pack(Attach("r", INFO)))).decode()
    assert await remote.status() == Status(replicas=1, scorers=0, programs=0, runs=0)
    solving = asyncio.create_task(remote.solve(submission()))
    batch = unpack_batch(await cluster.line.call("poll", pack(News("r", epoch))))
    opened, start = batch.commands
    assert isinstance(opened, Open) and opened.prompt == (1, 2, 3)
    assert isinstance(start, Start)
    done = Report((RunReport(start.run, 0, pack_tokens([5, 6]), End("stop")),))
    await cluster.line.call("report", pack(News("r", epoch, pack(done))))
    result = await solving
    assert isinstance(result, Result)
    assert result.branches[0].tokens == (5, 6) and result.branches[0].replica == "r"
    assert (await remote.stats()).programs == 0


async def test_a_query_that_nobody_waits_for_is_cancelled(cluster: Cluster) -> None:
    remote = RemoteController(cluster.line)
    await cluster.line.call("attach", pack(Attach("r", INFO)))
    solving = asyncio.create_task(remote.solve(submission()))
    await until(lambda: cluster.shell.status().programs == 1)
    solving.cancel()
    await until(lambda: cluster.shell.status().programs == 0)
    other = asyncio.create_task(remote.solve(submission("other")))
    await until(lambda: cluster.shell.status().programs == 1)
    remote.cancel("other")
    outcome = await other
    assert not isinstance(outcome, Refused) and outcome.stop == "cancelled"


async def test_a_lost_controller_is_said_and_the_next_one_found(cluster: Cluster) -> None:
    remote = RemoteController(cluster.line)
    solving = asyncio.create_task(remote.solve(submission()))
    await until(lambda: cluster.shell.status().programs == 1)
    await cluster.stop()
    with pytest.raises(ControllerLost):
        await solving
    with pytest.raises(ControllerLost):
        await remote.status()
    await cluster.start()
    assert (await remote.status()).replicas == 0
    asked = cluster.address.asked
    await remote.status()
    assert cluster.address.asked == asked, "a line that is up is used again"


async def test_a_replica_sees_that_the_line_broke(cluster: Cluster) -> None:
    epoch = (await cluster.line.call("attach", pack(Attach("r", INFO)))).decode()
    polling = asyncio.create_task(cluster.line.call("poll", pack(News("r", epoch))))
    await until(lambda: cluster.shell.status().replicas == 1)
    await asyncio.sleep(0)
    await cluster.server.close()
    with pytest.raises(PeerLost):
        await polling
