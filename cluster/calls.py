"""How deployments call the controller: Serve says where it is, calls go there directly."""

from __future__ import annotations

import asyncio
from typing import Any

from ray.serve.handle import DeploymentHandle

from cluster.rpc.caller import Caller

QUIET = {"enable_access_log": False, "log_level": "WARNING"}
"""Serve's logging of a deployment: it makes a record of every call before it drops it."""


class ControllerLine:
    """A connection to the controller that lives now, made anew when that one is lost."""

    def __init__(self, handle: DeploymentHandle[Any]) -> None:
        self._handle = handle
        self._connecting = asyncio.Lock()
        self._caller: Caller | None = None

    async def call(self, verb: str, body: bytes) -> bytes:
        """See `Caller.call`. Raises also whatever Serve raises where there is no controller."""
        caller = self._caller
        if caller is None or caller.lost:
            caller = await self._connected()
        return await caller.call(verb, body)

    def tell(self, verb: str, body: bytes) -> None:
        """See `Caller.tell`; nothing happens where there is no connection."""
        if self._caller is not None:
            self._caller.tell(verb, body)

    async def _connected(self) -> Caller:
        async with self._connecting:
            if self._caller is None or self._caller.lost:
                address = await self._handle.address.remote()
                self._caller = await Caller.connect(address)
            return self._caller
