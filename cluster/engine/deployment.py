"""The engine as a Serve deployment: every replica is one vLLM engine; it calls the controller."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from ray import serve
from ray.serve.handle import DeploymentHandle

from cluster.calls import direct
from cluster.settings import Settings
from dynasor.messages import ReplicaInfo


class _HandleCalls:
    """`ControllerCalls` over a Serve handle."""

    def __init__(self, controller: DeploymentHandle[Any]) -> None:
        self._controller = controller = direct(controller)
        # Each access to a method of a handle makes a new handle; these two are called all the time.
        self._poll = controller.poll
        self._report = controller.report

    async def attach(self, replica: str, info: ReplicaInfo) -> str:
        epoch: str = await self._controller.attach.remote(replica, info)
        return epoch

    async def detach(self, replica: str) -> None:
        await self._controller.detach.remote(replica)

    async def poll(self, replica: str, epoch: str) -> bytes:
        batch: bytes = await self._poll.remote(replica, epoch)
        return batch

    async def report(self, replica: str, epoch: str, report: bytes) -> bytes:
        batch: bytes = await self._report.remote(replica, epoch, report)
        return batch


@serve.deployment(
    name="Engine",
    # Nobody calls an engine: it asks for work. Ongoing requests mean nothing here.
    max_ongoing_requests=1_000,
    health_check_period_s=1,
    health_check_timeout_s=30,
    # There are no requests to wait for; what runs here goes on elsewhere.
    graceful_shutdown_wait_loop_s=0.1,
    graceful_shutdown_timeout_s=5,
    logging_config={"enable_access_log": False},
)
class Engine:
    """Starts vLLM, then serves until its engine breaks; Serve replaces it then."""

    async def __init__(  # type: ignore[misc]  # Serve awaits it
        self, settings: Settings, controller: DeploymentHandle[Any]
    ) -> None:
        # vLLM and the maths libraries read these when they are imported.
        os.environ.update(settings.engine.env)
        from cluster.engine.answers import AnswerReader
        from cluster.engine.link import Link
        from cluster.engine.runner import Runner
        from cluster.engine.vllm_engine import VllmEngine
        from cluster.stream import Sender

        self._engine = VllmEngine(settings)
        self._sender = Sender()
        self._reader = AnswerReader(timeout_s=settings.engine.answer_timeout_s)
        self._runner = Runner(self._engine, self._reader, self._sender)
        replica = serve.get_replica_context().replica_id.unique_id
        calls = _HandleCalls(controller)
        self._link = Link(
            replica,
            self._runner,
            calls,
            tokens_wait_s=settings.engine.report_tokens_s,
            call_timeout_s=settings.controller.replica_timeout_s,
        )
        self._stall_timeout_s = settings.engine.stall_timeout_s
        loop = asyncio.get_running_loop()
        self._serving = loop.create_task(self._link.serve(self._engine.info))
        self._leaving = loop.create_task(self._leave_when_broken())

    async def _leave_when_broken(self) -> None:
        await self._runner.broken
        self._serving.cancel()
        await self._link.leave()

    async def check_health(self) -> None:
        """Serve replaces the replica when this raises."""
        stalled_s = self._runner.stalled_s
        if stalled_s > self._stall_timeout_s and not self._runner.broken.done():
            self._runner.broken.set_result(TimeoutError(f"no token for {stalled_s:.0f} s"))
        if self._runner.broken.done():
            raise RuntimeError(f"engine broken: {self._runner.broken.result()!r}")
        if self._serving.done():
            raise RuntimeError("the link to the controller has ended")
        await self._engine.check_health()

    async def __del__(self) -> None:
        self._serving.cancel()
        await self._link.leave()
        await self._reader.close()
        self._sender.close()
        self._engine.close()
