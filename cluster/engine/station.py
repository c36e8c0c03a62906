"""A replica's place in the cluster: its runner, its link to the controller, its health."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from ray import serve
from ray.serve.handle import DeploymentHandle

from cluster.calls import ControllerLine
from cluster.engine.link import Link
from cluster.engine.load import Gauge
from cluster.engine.run import Workers
from cluster.engine.runner import Runner
from cluster.protocol import News, pack
from cluster.settings import EngineSettings, Settings
from dynasor.inputs import Attach, Detach
from dynasor.messages import ReplicaInfo


class Engine(Protocol):
    """What a station watches over."""

    @property
    def gauge(self) -> Gauge:
        """Its load."""

    async def check_health(self) -> None:
        """Raises when the engine is broken."""

    def close(self) -> None:
        """Free what it holds."""


class Station:
    """Serves until the engine breaks; Serve replaces the replica then."""

    def __init__(
        self,
        settings: Settings,
        engine_settings: EngineSettings,
        controller: DeploymentHandle[Any],
        engine: Engine,
        workers: Workers,
        info: ReplicaInfo,
    ) -> None:
        self._engine = engine
        self._runner = Runner(workers, engine.gauge)
        self._link = Link(
            serve.get_replica_context().replica_id.unique_id,
            self._runner,
            _LineCalls(ControllerLine(controller)),
            tokens_wait_s=engine_settings.report_tokens_s,
            call_timeout_s=settings.controller.replica_timeout_s,
        )
        self._stall_timeout_s = engine_settings.stall_timeout_s
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(self._link.serve(info))
        self._leaving = loop.create_task(self._leave_when_broken())

    async def check_health(self) -> None:
        """Raises when the engine is broken, or has stood still for too long."""
        stalled_s = self._runner.stalled_s
        if stalled_s > self._stall_timeout_s and not self._runner.broken.done():
            self._runner.broken.set_result(TimeoutError(f"no token for {stalled_s:.0f} s"))
        if self._runner.broken.done():
            raise RuntimeError(f"engine broken: {self._runner.broken.result()!r}")
        if self._serving.done():
            raise RuntimeError("the link to the controller has ended")
        await self._engine.check_health()

    async def close(self) -> None:
        """Leave the cluster and end the engine."""
        self._serving.cancel()
        await self._link.leave()
        self._engine.close()

    async def _leave_when_broken(self) -> None:
        await self._runner.broken
        self._serving.cancel()
        await self._link.leave()


class _LineCalls:
    """`ControllerCalls` over a line."""

    def __init__(self, line: ControllerLine) -> None:
        self._line = line

    async def attach(self, replica: str, info: ReplicaInfo) -> str:
        return (await self._line.call("attach", pack(Attach(replica, info)))).decode()

    async def detach(self, replica: str) -> None:
        await self._line.call("detach", pack(Detach(replica)))

    async def poll(self, replica: str, epoch: str) -> bytes:
        return await self._line.call("poll", pack(News(replica, epoch)))

    async def report(self, replica: str, epoch: str, report: bytes) -> bytes:
        return await self._line.call("report", pack(News(replica, epoch, report)))
