"""The ingress as a Ray Serve deployment."""

from __future__ import annotations

import asyncio
from typing import Any

import ray
from fastapi import FastAPI
from ray import serve
from ray.exceptions import ObjectLostError, RayActorError
from ray.serve.exceptions import DeploymentUnavailableError, RequestCancelledError
from ray.serve.handle import DeploymentHandle

from cluster.calls import direct
from cluster.ingress.app import build_api
from cluster.ingress.controller import ControllerLost
from cluster.ingress.prompts import Prompts
from cluster.ingress.solution import Solution
from cluster.ingress.solving import Solver
from cluster.protocol import Refused, Status
from cluster.settings import Settings
from cluster.stream import Inbox
from dynasor.inputs import Submit
from dynasor.query import Query
from dynasor.result import Result
from dynasor.stats import Stats


class ServeController:
    """The controller behind a Serve handle."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle = direct(handle)
        # Each access to a method of a handle makes a new handle; this one every request takes.
        self._solve = handle.solve

    async def solve(self, submit: Submit) -> Result | Refused:
        """See `ControllerClient`."""
        outcome: Result | Refused = await _call(self._solve.remote(submit))
        return outcome

    def cancel(self, query_id: str) -> None:
        """See `ControllerClient`."""
        self._handle.cancel.remote(query_id)

    async def status(self) -> Status:
        """See `ControllerClient`."""
        status: Status = await _call(self._handle.status.remote())
        return status

    async def stats(self) -> Stats:
        """See `ControllerClient`."""
        stats: Stats = await _call(self._handle.stats.remote())
        return stats


async def _call(response: Any) -> Any:
    try:
        return await response
    except asyncio.CancelledError:
        # Serve doesn't pass our own cancellation on to the call.
        response.cancel()
        raise
    except RequestCancelledError:
        # Serve has cancelled the call together with the request it belongs to.
        raise asyncio.CancelledError from None
    except (RayActorError, ObjectLostError, DeploymentUnavailableError) as error:
        raise ControllerLost(str(error)) from None


@serve.deployment(max_ongoing_requests=10_000, logging_config={"enable_access_log": False})
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
        self._solver = Solver(settings, prompts, ServeController(controller), inbox)

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_api(self._solver, self._settings)

    async def solve(self, query: Query) -> Solution:
        """Solve a query; the program ends when the call is cancelled.

        Raises:
            InvalidField: the prompt, or a parameter that contradicts it.
            ApiError: overload (429), an engine failure (500), no controller (503).
        """
        return await self._solver.solve(query)
