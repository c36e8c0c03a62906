"""The controller as a Serve deployment: one replica; everybody calls it, it calls nobody."""

from __future__ import annotations

import ray
from ray import serve

from cluster.calls import QUIET
from cluster.controller.chores import Chores
from cluster.controller.memory import tune
from cluster.controller.shell import Shell
from cluster.controller.values import ValueFile
from cluster.controller.verbs import verbs
from cluster.rpc.server import Server
from cluster.settings import ControllerSettings
from cluster.stream import Sender


@serve.deployment(
    name="Controller",
    num_replicas=1,
    # Held polls and waiting callers count as ongoing requests, and are many.
    max_ongoing_requests=1_000_000,
    logging_config=QUIET,
)
class Controller:
    """See `Shell`. Serve calls find it; all others come over connections to its address."""

    async def __init__(self, settings: ControllerSettings) -> None:  # type: ignore[misc]  # awaited
        self._sender = Sender()
        self._shell = Shell(settings, self._sender)
        file = ValueFile(settings)
        file.load(self._shell.learn)
        tune()
        self._chores = Chores(self._shell, file, settings.value_model_save_s)
        self._server = Server(verbs(self._shell))
        await self._server.start(ray.util.get_node_ip_address())

    async def address(self) -> str:
        """Where it takes calls, see `verbs`."""
        return self._server.address

    async def __del__(self) -> None:
        await self._server.close()
        await self._chores.close()
        self._shell.close()
