"""The ingress as a Ray Serve deployment."""

from __future__ import annotations

from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.exceptions import ObjectLostError, RayActorError
from ray.serve.exceptions import DeploymentUnavailableError
from ray.serve.handle import DeploymentHandle

from cluster.calls import QUIET, ControllerLine
from cluster.ingress.app import build_api
from cluster.ingress.controller import ControllerLost
from cluster.ingress.prompts import Prompts
from cluster.ingress.solution import Solution
from cluster.ingress.solving import Solver
from cluster.protocol import Refused, Status, pack, unpack_outcome, unpack_stats, unpack_status
from cluster.rpc.caller import PeerLost
from cluster.settings import Settings
from cluster.stream import Inbox
from dynasor.inputs import Cancel, Submit
from dynasor.query import Query
from dynasor.result import Result
from dynasor.stats import Stats

LOST = (PeerLost, RayActorError, ObjectLostError, DeploymentUnavailableError)
"""What a call raises when the controller is gone, or there is none."""


class RemoteController:
    """The controller at the end of a line."""

    def __init__(self, line: ControllerLine) -> None:
        self._line = line

    async def solve(self, submit: Submit) -> Result | Refused:
        """See `ControllerClient`."""
        return unpack_outcome(await self._call("solve", pack(submit)))

    def cancel(self, query_id: str) -> None:
        """See `ControllerClient`."""
        self._line.tell("cancel", pack(Cancel(query_id)))

    async def status(self) -> Status:
        """See `ControllerClient`."""
        return unpack_status(await self._call("status"))

    async def stats(self) -> Stats:
        """See `ControllerClient`."""
        return unpack_stats(await self._call("stats"))

    async def _call(self, verb: str, body: bytes = b"") -> bytes:
        try:
            return await self._line.call(verb, body)
        except LOST as error:
            raise ControllerLost(str(error)) from None


@serve.deployment(max_ongoing_requests=10_000, logging_config=QUIET)
@serve.ingress()
class Ingress:
    """OpenAI-compatible HTTP, and ``solve`` for Python callers. Stateless: add replicas freely."""

    def __init__(
        self,
        settings: Settings,
        controller: DeploymentHandle[Any],
        pools: list[DeploymentHandle[Any]],
    ) -> None:
        """``pools``: bound to make them part of the application; they call the controller."""
        self._settings = settings
        prompts = Prompts(settings.model)
        inbox = Inbox(ray.util.get_node_ip_address())
        line = ControllerLine(controller)
        self._solver = Solver(settings, prompts, RemoteController(line), inbox)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_api(self._solver, self._settings)

    async def solve(self, query: Query) -> Solution:
        """Solve a query; the program ends when the call is cancelled.

        Raises:
            InvalidField: the prompt, or a parameter that contradicts it.
            ApiError: overload (429), an engine failure (500), no controller (503).
        """
        return await self._solver.solve(query)
