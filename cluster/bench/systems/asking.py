"""Asks a system: as a program of this project's cluster, or as a client that votes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import httpx

from cluster.bench.client import Lanes, RequestFailed, chat, connect, first_model, health
from cluster.bench.systems.catalog import System
from cluster.bench.systems.said import Said, of_program, of_votes
from cluster.cli.errors import CliError
from cluster.workload.request import Request
from cluster.workload.served import Outcome, Served
from cluster.workload.workload import Workload
from dynasor.algorithms.self_consistency import SelfConsistency, SelfConsistencyParams
from dynasor.answers.equal import equal

LANES = 64
"""Connection pools; several hundred queries are in progress at once when there is overload."""

TOO_MANY_REQUESTS, UNAVAILABLE = 429, 503
LOOK_EVERY_S = 0.1
EMPTY_LIMIT_S = 120.0
SETTLE_S = 1.0
"""A peer that can't be asked whether it is empty gets this long to notice that nobody waits."""

WAY_S = 0.05
"""A deadline is sent this much earlier than it is: for the way there and back."""

TEMPERATURE = 1.0


@dataclass(frozen=True, slots=True)
class Target:
    """A running server, and what it is asked. ``model``: its name for the model."""

    client: httpx.AsyncClient
    model: str
    system: System
    workload: Workload

    async def ask(self, request: Request) -> Served:
        """Ask one query; a refusal by the door is its end.

        Raises:
            RequestFailed: there is no usable answer.
        """
        outcome: Outcome = "answered"
        said = Said(None, 0)
        try:
            said = await (self._vote(request) if self.system.policy is None else self._run(request))
        except RequestFailed as error:
            if error.status != TOO_MANY_REQUESTS:
                raise
            outcome = "refused"
        question = self.workload.read_questions()[request.question]
        right = said.answer is not None and _right(said.answer, question.gold or "")
        return Served(
            number=request.number,
            system=self.system.name,
            kind=request.kind,
            question=question.id or str(request.question),
            outcome=outcome,
            at_s=0.0,
            latency_s=0.0,
            level=question.level,
            tenant=request.tenant,
            deadline_s=request.deadline_s,
            alone_s=self._alone_s(request),
            correct=right,
            tokens=said.tokens,
            branches=said.branches,
            stop=said.stop,
        )

    async def empty(self) -> None:
        """Wait until it has nothing to do, and is ready. Raises RequestFailed: it does not become
        so, or can't be reached."""
        if self.system.policy is None:
            await asyncio.sleep(SETTLE_S)
            return
        try:
            async with asyncio.timeout(EMPTY_LIMIT_S):
                while True:
                    if not await self._is_busy():
                        return
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise RequestFailed(f"{self.client.base_url} does not become empty") from None

    async def _is_busy(self) -> bool:
        try:
            status = await health(self.client)
        except RequestFailed as error:
            if error.status != UNAVAILABLE:
                raise
            return True
        return bool(status.get("programs") or status.get("runs"))

    async def _run(self, request: Request) -> Said:
        program = request.asked(self.system.policy)
        deadline_s = program.pop("deadline_s", None)
        if self.system.told and deadline_s is not None:
            program["deadline_s"] = max(WAY_S, deadline_s - WAY_S)
        return of_program(await chat(self.client, {**self._body(request), "program": program}))

    async def _vote(self, request: Request) -> Said:
        n = chains_of(request.program)
        body = self._body(request)
        if not self.system.single:
            return of_votes([await chat(self.client, {**body, "n": n})])
        try:
            async with asyncio.TaskGroup() as group:
                sent = [group.create_task(chat(self.client, body)) for _ in range(n)]
        except* RequestFailed as errors:
            raise errors.exceptions[0] from None
        return of_votes([task.result() for task in sent])

    def _body(self, request: Request) -> dict[str, Any]:
        system = self.workload.kind(request.kind).system
        messages = [{"role": "system", "content": system}] if system else []
        question = self.workload.read_questions()[request.question].prompt
        messages.append({"role": "user", "content": question})
        return {"model": self.model, "messages": messages, "temperature": TEMPERATURE}

    def _alone_s(self, request: Request) -> float | None:
        deadline = self.workload.deadline
        if deadline is None or request.deadline_s is None:
            return None
        return request.deadline_s / deadline.slo_scale


@asynccontextmanager
async def target(
    system: System,
    url: str,
    workload: Workload,
    transport: httpx.AsyncBaseTransport | None = None,
) -> AsyncIterator[Target]:
    """Connects to a server, which serves one model.

    Raises:
        RequestFailed: there is no server, or it lists no models.
    """
    async with connect(url, LANES, transport or Lanes(LANES)) as client:
        yield Target(client, await first_model(client), system, workload)


def chains_of(program: dict[str, Any]) -> int:
    """How many plain chains a client has to vote over to do the same by itself.

    Raises:
        CliError: it can't: the program is not a plain majority vote.
    """
    parameters = dict(program)
    name = parameters.pop("algorithm", SelfConsistency.name)
    if name != SelfConsistency.name or parameters.get("weights", "count") != "count":
        raise CliError(f"a client can only vote over plain chains, not run {program}")
    return SelfConsistencyParams.model_validate(parameters).max_branches


@lru_cache(maxsize=65_536)
def _right(answer: str, gold: str) -> bool:
    return equal(answer, gold)
