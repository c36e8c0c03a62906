"""The controller as a Serve deployment: one replica; everybody calls it, it calls nobody."""

from __future__ import annotations

from ray import serve

from cluster.controller.chores import Chores
from cluster.controller.memory import tune
from cluster.controller.shell import Shell
from cluster.controller.values import ValueFile
from cluster.protocol import Refused, Status, pack, unpack_report
from cluster.settings import ControllerSettings
from cluster.stream import Sender
from dynasor.inputs import Submit
from dynasor.messages import ReplicaInfo
from dynasor.result import Result
from dynasor.stats import Stats


@serve.deployment(
    name="Controller",
    num_replicas=1,
    # Held polls and waiting callers count as ongoing requests, and are many.
    max_ongoing_requests=1_000_000,
    logging_config={"enable_access_log": False},
)
class Controller:
    """See `Shell`; here are only the names and the packing."""

    def __init__(self, settings: ControllerSettings) -> None:
        self._sender = Sender()
        self._shell = Shell(settings, self._sender)
        file = ValueFile(settings)
        file.load(self._shell.learn)
        tune()
        self._chores = Chores(self._shell, file, settings.value_model_save_s)

    async def solve(self, submission: Submit) -> Result | Refused:
        return await self._shell.solve(submission)

    async def cancel(self, query_id: str) -> None:
        self._shell.cancel(query_id)

    async def status(self) -> Status:
        return self._shell.status()

    async def stats(self) -> Stats:
        return self._shell.stats()

    async def attach(self, replica: str, info: ReplicaInfo) -> str:
        return self._shell.attach(replica, info)

    async def detach(self, replica: str) -> None:
        self._shell.detach(replica)

    async def poll(self, replica: str, epoch: str) -> bytes:
        return pack(await self._shell.poll(replica, epoch))

    async def report(self, replica: str, epoch: str, report: bytes) -> bytes:
        return pack(self._shell.report(replica, epoch, unpack_report(report)))

    async def __del__(self) -> None:
        await self._chores.close()
        self._shell.close()
