"""The controller as the ingress sees it."""

from __future__ import annotations

from typing import Protocol

from cluster.protocol import Refused, Status
from dynasor.inputs import Submit
from dynasor.result import Result
from dynasor.stats import Stats


class ControllerLost(Exception):
    """The controller died before it answered. What it held is gone, a new one comes."""


class ControllerClient(Protocol):
    """What can be asked of it."""

    async def solve(self, submit: Submit) -> Result | Refused:
        """Run a program to its end. Raises ControllerLost."""

    def cancel(self, query_id: str) -> None:
        """End a program whose client is gone; does not wait."""

    async def status(self) -> Status:
        """What it knows of the cluster. Raises ControllerLost."""

    async def stats(self) -> Stats:
        """Numbers about what it does. Raises ControllerLost."""
