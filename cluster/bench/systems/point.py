"""One measurement of one system, from its requests to a run of the report."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from cluster.bench.client import RequestFailed, health
from cluster.bench.reports.document import Run
from cluster.bench.systems.asking import Target, target
from cluster.bench.systems.catalog import System
from cluster.cli.errors import CliError
from cluster.workload.driver import Ask, Driven, closed_loop, open_loop
from cluster.workload.request import Request
from cluster.workload.workload import Workload

SAMPLE_EVERY_S = 0.5
LATE_S = 0.1
"""A client that sends later than this, at the 99th percentile, is a bottleneck itself."""

BUSY_CORES = 0.8

Drive = Callable[[Ask], Awaitable[Driven]]


def sent_when_due(
    system: System, url: str, workload: Workload, requests: Iterable[Request],
    load: dict[str, float], limit_s: float,
) -> Run:  # fmt: skip
    """Open loop: every query is sent when it arrives. ``limit_s``: then it is given up.

    Raises:
        CliError: the system can't be reached, or does not become empty.
    """
    return _run(
        system, url, workload, load, lambda ask: open_loop(requests, ask, system.name, limit_s)
    )


def sent_in_turn(
    system: System, url: str, workload: Workload, requests: Iterable[Request],
    load: dict[str, float], clients: int, seconds: float | None = None,
) -> Run:  # fmt: skip
    """Closed loop: so many clients, each with one query in flight; see `sent_when_due`."""
    return _run(
        system,
        url,
        workload,
        load,
        lambda ask: closed_loop(requests, ask, clients, seconds, system.name),
    )


def warnings(run: Run) -> list[str]:
    """Why a run is to be distrusted: the client was too busy, or queries failed."""
    where = ", ".join([run.system, *(f"{key} {value:g}" for key, value in run.load.items())])
    lags = sorted(one.lag_s for one in run.served)
    found = []
    if lags and (lag_s := lags[int(0.99 * (len(lags) - 1))]) > LATE_S:
        found.append(f"{where}: the client sent {1000 * lag_s:.0f} ms late (P99): too busy itself")
    if run.client_cpu > BUSY_CORES:
        found.append(f"{where}: the client took {run.client_cpu:.0%} of a core")
    failed = [one for one in run.served if one.outcome == "failed"]
    if failed:
        found.append(f"{where}: {len(failed)} queries failed; the first: {failed[0].message:.200}")
    return found


def _run(system: System, url: str, workload: Workload, load: dict[str, float], drive: Drive) -> Run:
    async def measured() -> Run:
        async with target(system, url, workload) as there:
            await there.empty()
            samples: list[dict[str, float]] = []
            watching = asyncio.create_task(_watch(there, samples))
            try:
                driven = await drive(there.ask)
            finally:
                watching.cancel()
            return Run(
                system=system.name,
                load=load,
                served=driven.served,
                wall_s=driven.seconds,
                client_cpu=driven.client_cores,
                timeline=tuple(samples),
            )

    try:
        return asyncio.run(measured())
    except RequestFailed as error:
        raise CliError(str(error)) from None


async def _watch(there: Target, samples: list[dict[str, float]]) -> None:
    """Sample what a cluster of ours says of itself, until cancelled."""
    if there.system.policy is None:
        return
    began = asyncio.get_running_loop().time()
    while True:
        with suppress(RequestFailed, LookupError):
            status = await health(there.client)
            at_s = asyncio.get_running_loop().time() - began
            counts = {"programs": status["programs"], "running": status["runs"]}
            samples.append({"at_s": at_s, **counts})
        await asyncio.sleep(SAMPLE_EVERY_S)
