"""Sends queries, one at a time, so many at a time, or when they arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from cluster.bench.client import Lanes, Reply, RequestFailed, chat, connect, first_model, health
from cluster.bench.load.arrivals import Arrival
from cluster.bench.load.mix import Kind
from cluster.models.abacus.problems import Problem
from cluster.models.abacus.reasoner import THINK_HARD
from dynasor.answers.equal import equal

LANES = 64
"""Connection pools; several hundred queries are in progress at once when there is overload."""

LOOK_EVERY_S = 0.2
TOO_MANY_REQUESTS = 429

Outcome = Literal["answered", "refused", "given_up", "failed"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A query that was sent, and what became of it.

    Attributes:
        number: of its arrival.
        outcome: "refused": by the door (429); "given_up": after the client's limit, which is its
            latency then; "failed": anything else without an answer.
        latency_s: from its arrival, whenever it was sent, to the whole response.
        lag_s: from its arrival until it was sent: above some ms the client is the bottleneck.
        deadline_s: within which it should be answered; None: nothing is known of that.
        alone_s: what queries like it take in an empty cluster; None: nothing is known of that.
        spent: tokens, probes, judging and cancelled work included; 0 unless it was answered.
        message: why it was not answered.
    """

    number: int
    kind: str
    level: int
    policy: str
    outcome: Outcome
    latency_s: float
    lag_s: float
    deadline_s: float | None = None
    alone_s: float | None = None
    correct: bool = False
    spent: int = 0
    stop: str = ""
    message: str = ""

    @property
    def answered(self) -> bool:
        """There is a response, right or wrong."""
        return self.outcome == "answered"

    @property
    def in_time(self) -> bool:
        """Answered within its deadline."""
        return self.answered and self.deadline_s is not None and self.latency_s <= self.deadline_s

    @property
    def unfairness(self) -> float | None:
        """Finish-time fairness (Themis, Mahajan et al. 2020): time taken over time alone. None:
        it was refused or failed, or its time alone is not known."""
        if self.alone_s is None or self.outcome in ("refused", "failed"):
            return None
        return self.latency_s / self.alone_s


@dataclass(frozen=True, slots=True)
class Asker:
    """Asks queries of a running cluster. ``limit_s``: what a query may take at most."""

    client: httpx.AsyncClient
    model: str
    limit_s: float

    async def ask(
        self,
        arrival: Arrival,
        policy: str,
        due: float,
        deadline_s: float | None = None,
        alone_s: float | None = None,
        sent_deadline_s: float | None = None,
    ) -> Asked:
        """Send one query now. ``due``: when it arrived (`time.perf_counter`)."""
        kind, problem = arrival.kind, arrival.problem
        lag_s = max(0.0, time.perf_counter() - due)
        outcome: Outcome = "failed"
        found: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self.limit_s):
                body = _body(kind, problem, self.model, policy, sent_deadline_s)
                reply = await chat(self.client, body)
            outcome, found = "answered", _read(reply, problem)
        except TimeoutError:
            outcome, found = "given_up", {"message": f"no answer within {self.limit_s:g} s"}
        except RequestFailed as error:
            outcome = "refused" if error.status == TOO_MANY_REQUESTS else "failed"
            found = {"message": str(error)}
        return Asked(
            number=arrival.number,
            kind=kind.name,
            level=problem.level,
            policy=policy,
            outcome=outcome,
            latency_s=time.perf_counter() - due,
            lag_s=lag_s,
            deadline_s=deadline_s,
            alone_s=alone_s,
            **found,
        )

    async def empty(self) -> None:
        """Wait until the cluster has nothing to do.

        Raises:
            RequestFailed: it still has after twice the limit of a query, or can't be reached.
        """
        try:
            async with asyncio.timeout(2 * self.limit_s):
                while True:
                    status = await health(self.client)
                    if not status.get("programs") and not status.get("runs"):
                        return
                    await asyncio.sleep(LOOK_EVERY_S)
        except TimeoutError:
            raise RequestFailed("the cluster does not become empty") from None


@asynccontextmanager
async def asker(url: str, model: str | None, limit_s: float) -> AsyncIterator[Asker]:
    """Connects to a cluster. ``model`` None: the first that is served.

    Raises:
        RequestFailed: there is no server, or it lists no models.
    """
    async with connect(url, LANES, Lanes(LANES)) as client:
        yield Asker(client, model or await first_model(client), limit_s)


async def in_turn(
    asker: Asker, arrivals: Iterator[Arrival], policy: str, clients: int, seconds: float
) -> list[tuple[float, Asked]]:
    """Closed loop: so many clients, each sending its next query when it has an answer, for so many
    seconds. Returns what was asked, with the time since the beginning at which it was over."""
    began = time.perf_counter()
    done: list[tuple[float, Asked]] = []

    async def work() -> None:
        while (now := time.perf_counter()) < began + seconds:
            asked = await asker.ask(next(arrivals), policy, now)
            done.append((time.perf_counter() - began, asked))

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(work())
    return done


def _body(
    kind: Kind, problem: Problem, model: str, policy: str, deadline_s: float | None
) -> dict[str, Any]:
    system = [{"role": "system", "content": THINK_HARD}] if kind.hard else []
    return {
        "model": model,
        "messages": [*system, {"role": "user", "content": problem.text}],
        "temperature": 1.0,
        "program": kind.under(policy, deadline_s),
    }


def _read(reply: Reply, problem: Problem) -> dict[str, Any]:
    """Raises RequestFailed: the response lacks what is needed."""
    try:
        program = reply.document["program"]
        answer = program["answer"]
        return {
            "correct": answer is not None and equal(answer, str(problem.answer)),
            "spent": program["tokens"]["spent"],
            "stop": program["stop"],
        }
    except (LookupError, TypeError) as error:
        raise RequestFailed(f"unusable response: {error!r}") from None
