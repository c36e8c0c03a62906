"""One run of the benchmark: start all systems, measure them in turns, end them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from cluster.bench.client import RequestFailed
from cluster.bench.overhead.by_handle import handle, ray_address
from cluster.bench.overhead.closed_loop import Ask, Load, Round, alternate, run_round
from cluster.bench.overhead.direct import engines
from cluster.bench.overhead.figures import DIRECT, HANDLE, OURS, PEER
from cluster.bench.overhead.over_http import connect
from cluster.bench.systems.starting import Say, cluster, ray_serve_llm
from cluster.bench.systems.variant import Variant
from cluster.cli.errors import CliError
from cluster.models.abacus.problems import make_problems

LEVEL = 4
QUESTIONS = 512
WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured.

    Attributes:
        tokens: that each request generates.
        systems: names out of `figures`.
        folder: for logs and configs of what is started.
        urls: of systems that run already, and are neither started nor ended.
    """

    config: Path
    tokens: int
    concurrency: tuple[int, ...]
    rounds: int
    seconds: float
    systems: tuple[str, ...]
    seed: int
    folder: Path
    urls: Mapping[str, str] = field(default_factory=dict)


def measure(plan: Plan, say: Say) -> list[Round]:
    """All rounds.

    Raises:
        CliError: a system did not start, or a request failed.
    """
    # Plain requests need no reward model: its engines would only share the machine.
    variant = Variant(plan.config, reward=False)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        try:
            return runner.run(_measure(plan, variant, say))
        except* RequestFailed as errors:
            raise CliError(_first(errors)) from None


async def _measure(plan: Plan, variant: Variant, say: Say) -> list[Round]:
    questions = [problem.text for problem in make_problems(LEVEL, QUESTIONS, plan.seed)]
    loads = [Load(concurrency, plan.seconds) for concurrency in plan.concurrency]
    rounds: list[Round] = []
    async with AsyncExitStack() as stack:
        asks: list[tuple[str, Ask]] = []
        for name, system in _systems(plan, variant, say):
            asks.append((name, await stack.enter_async_context(system)))
        widest = Load(max(plan.concurrency), WARM_UP_S)
        for name, ask in asks:
            await run_round(name, ask, widest, questions, 0)
        # vLLM's many objects live here to the end; looking through them again and again would be
        # counted as the time of whoever is measured then.
        gc.collect()
        gc.freeze()
        async for one in alternate(asks, loads, questions, plan.rounds):
            rounds.append(one)
            say(_line(one))
    return rounds


def _systems(
    plan: Plan, variant: Variant, say: Say
) -> Sequence[tuple[str, AbstractAsyncContextManager[Ask]]]:
    known: dict[str, Callable[[], AbstractAsyncContextManager[Ask]]] = {
        PEER: lambda: _peer(plan, variant, say),
        OURS: lambda: _ours(plan, variant, say, by_handle=False),
        HANDLE: lambda: _ours(plan, variant, say, by_handle=True),
        DIRECT: lambda: engines(variant.settings, variant.replicas, plan.tokens),
    }
    return [(name, known[name]()) for name in plan.systems]


@asynccontextmanager
async def _peer(plan: Plan, variant: Variant, say: Say) -> AsyncIterator[Ask]:
    given = plan.urls.get(PEER)
    with nullcontext(given) if given else ray_serve_llm(variant, plan.folder / PEER, say) as url:
        async with connect(url, variant.settings.model.name, plan.tokens) as ask:
            yield ask


@asynccontextmanager
async def _ours(plan: Plan, variant: Variant, say: Say, *, by_handle: bool) -> AsyncIterator[Ask]:
    folder = plan.folder / (HANDLE if by_handle else OURS)
    given = None if by_handle else plan.urls.get(OURS)
    with nullcontext(given) if given else cluster(variant, folder, say) as url:
        if by_handle:
            async with handle(ray_address(folder), plan.tokens) as ask:
                yield ask
        else:
            async with connect(url, variant.settings.model.name, plan.tokens) as ask:
                yield ask


def _line(one: Round) -> str:
    return (
        f"round {one.number + 1}, {one.concurrency:3d} at once: {one.system:13s} "
        f"{one.throughput:6.0f} tokens/s, p50 {one.p50_ms:6.1f} ms, "
        f"the client took {one.client_cpu_s / one.wall_s:.0%} of a core"
    )


def _first(errors: BaseExceptionGroup[BaseException]) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error)
