"""Sends a workload's queries and keeps what became of them: the client of every real benchmark.

Open loop: each query is sent when it is due, whatever became of those before it, and its latency
counts from then. A client that waits for answers, or counts from when it got round to sending,
leaves out just the queries that a slow system keeps waiting (coordinated omission, G. Tene).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace

from cluster.workload.request import Request
from cluster.workload.served import Outcome, Served

Ask = Callable[[Request], Awaitable[Served]]
"""Asks one query now and waits for its end; the driver sets the times of what it returns."""


@dataclass(frozen=True, slots=True)
class Driven:
    """What became of a workload.

    Attributes:
        served: every query, in the order of their numbers.
        seconds: from the beginning to the end of the last one.
        client_cpu_s: CPU time of this process meanwhile, whatever else it did included.
    """

    served: tuple[Served, ...]
    seconds: float
    client_cpu_s: float

    @property
    def client_cores(self) -> float:
        """Cores that the client kept busy. Near 1 it is the bottleneck, for it has one thread."""
        return self.client_cpu_s / self.seconds if self.seconds else 0.0

    @property
    def worst_lag_s(self) -> float:
        """How late the client sent a query, at worst."""
        return max((one.lag_s for one in self.served), default=0.0)


async def open_loop(
    requests: Iterable[Request], ask: Ask, system: str = "", limit_s: float | None = None
) -> Driven:
    """Send each query at its time, and wait for the end of all.

    Args:
        requests: in the order of their times; drawn one by one, as they are sent.
        ask: what it raises is the end of that query only: it has failed.
        system: of queries that `ask` says nothing about, as they failed or were given up.
        limit_s: after that long from being due a query is given up; None: never.
    """
    run = _Run(ask, system, limit_s)
    async with asyncio.TaskGroup() as group:
        for request in requests:
            due = run.began + request.at_s
            await asyncio.sleep(max(0.0, due - run.now))
            group.create_task(run.one(request, due))
    return run.driven


async def closed_loop(
    requests: Iterable[Request],
    ask: Ask,
    clients: int,
    seconds: float | None = None,
    system: str = "",
    limit_s: float | None = None,
) -> Driven:
    """So many clients; each sends the next query as soon as its last one has ended, whatever the
    query's time says. Measures what a system can do, not how long queries wait for it.

    Args:
        requests: as many as are wanted; they may be without end if ``seconds`` is given.
        seconds: no query is begun after that; those that were are waited for.
        ask, system, limit_s: see `open_loop`.
    """
    run = _Run(ask, system, limit_s)
    left = iter(requests)

    async def work() -> None:
        while seconds is None or run.now < run.began + seconds:
            request = next(left, None)
            if request is None:
                return
            await run.one(request, run.now)

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(work())
    return run.driven


class _Run:
    """One pass of a workload."""

    def __init__(self, ask: Ask, system: str, limit_s: float | None) -> None:
        self._ask = ask
        self._system = system
        self._limit_s = limit_s
        self._served: list[Served] = []
        self._cpu_s = time.process_time()
        self._loop = asyncio.get_running_loop()
        self.began = self.now

    @property
    def now(self) -> float:
        return self._loop.time()

    @property
    def driven(self) -> Driven:
        """All that has ended so far."""
        served = tuple(sorted(self._served, key=lambda one: one.number))
        return Driven(served, self.now - self.began, time.process_time() - self._cpu_s)

    async def one(self, request: Request, due: float) -> None:
        """Send a query now that was due then."""
        lag_s = max(0.0, self.now - due)
        limit = asyncio.timeout_at(None if self._limit_s is None else due + self._limit_s)
        try:
            async with limit:
                served = await self._ask(request)
        except Exception as error:
            if limit.expired():
                served = self._unserved(request, "given_up", f"not within {self._limit_s:g} s")
            else:
                served = self._unserved(request, "failed", repr(error))
        at_s, latency_s = due - self.began, self.now - due
        self._served.append(
            replace(served, number=request.number, at_s=at_s, latency_s=latency_s, lag_s=lag_s)
        )

    def _unserved(self, request: Request, outcome: Outcome, message: str) -> Served:
        return Served(
            number=request.number,
            system=self._system,
            kind=request.kind,
            question=str(request.question),
            outcome=outcome,
            at_s=0.0,
            latency_s=0.0,
            tenant=request.tenant,
            deadline_s=request.deadline_s,
            message=message,
        )
