"""Measures how fast a running cluster generates when all its engines are full.

Engines that were measured by themselves know nothing of what a cluster does besides: its
controller, its ingress, Ray, and the client, which may share their processors. What queries and
branches take of them, and how much longer steps take for other reasons, is found here: with plain
chains of a fixed length under policy "even", many in a query, and one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from cluster.bench.client import RequestFailed, chat, connect, first_model, health
from cluster.sim.profile import StepCost
from cluster.sim.profiling.beside import Beside
from cluster.sim.profiling.calls import prompt_tokens
from cluster.sim.profiling.progress import Say
from dynasor.algorithms import DEFAULT_ALGORITHM
from dynasor.messages import ReplicaInfo

CHAINS = (16, 1)
"""Chains of a query, of one measurement after the other."""

TOKENS = 96
WARM_UP_S, SECONDS = 4.0, 12.0
OVERFILL = 1.5
"""Chains in progress, as a multiple of all slots: so that the slots are never empty."""

QUESTION = "Start with {number}. Multiply by 3. Subtract 6. Add 9. What is the result?"


@dataclass(frozen=True, slots=True)
class Filled:
    """What full engines generated.

    Attributes:
        per_s: tokens per second, of all engines together.
        engines: that generate.
        prompt: tokens of each prompt; each is shared by ``chains`` chains of ``tokens`` tokens.
        beside: processors that were busy, but not with engines.
        cores: processors that there are.
    """

    per_s: float
    engines: int
    prompt: int
    chains: int
    beside: float = 0.0
    cores: float = 0.0
    tokens: int = TOKENS

    @property
    def queries_per_s(self) -> float:
        return self.per_s / (self.chains * self.tokens)


class Besides(NamedTuple):
    """Processor time of what serves the engines, in seconds: of a query, of each branch."""

    query_cpu_s: float
    branch_cpu_s: float


def besides(many: Filled, one: Filled) -> Besides:
    """From two measurements with different numbers of chains in a query."""
    each_many, each_one = (seen.beside / seen.queries_per_s for seen in (many, one))
    branch_s = max(0.0, (each_many - each_one) / (many.chains - one.chains))
    return Besides(max(0.0, each_one - one.chains * branch_s), branch_s)


def slowdown(step: StepCost, info: ReplicaInfo, seen: Filled) -> float:
    """How much longer steps took than in an engine by itself that is as full, beyond what the
    processors did meanwhile beside engines; at least 0."""
    slots = info.slots
    cached = (seen.prompt - 1) // info.block_size * info.block_size
    read = seen.prompt - cached
    reading = step.step_s(0, 0, read, read * (cached + (read + 1) / 2), 1) - step.base_s
    context = slots * (seen.prompt + 1)
    # One after the other, all sequences of a batch begin, and each generates all its tokens.
    expected_s = step.steps_s(seen.tokens - 1, slots, context) + step.base_s + slots * reading
    expected_per_s = seen.engines * slots * seen.tokens / expected_s
    shared = max(seen.cores, float(seen.engines))
    left = 1 - seen.beside / shared if shared else 1.0
    return max(0.0, left * expected_per_s / seen.per_s - 1)


async def measure_filled(url: str, slots: int, chains: int, say: Say) -> Filled:
    """Keep an otherwise idle cluster full for some seconds.

    Args:
        slots: of each of its engines.
        chains: of each query.

    Raises:
        RequestFailed: it can't be reached, or gives no usable answers.
    """
    engines = int((await _status(url)).get("replicas", 0))
    programs = max(1, round(OVERFILL * slots * engines / chains))
    numbers, ended, prompt = itertools.count(1), [], [0]
    spent: list[float] = []
    async with connect(url, programs) as client:
        model = await first_model(client)
        began = time.perf_counter()
        until = began + WARM_UP_S + SECONDS

        async def work() -> None:
            while (now := time.perf_counter()) < until:
                say(f"full, {chains} a query", int(now - began), int(WARM_UP_S + SECONDS))
                reply = await chat(client, _body(model, next(numbers), chains))
                ended.append(time.perf_counter() - began)
                prompt[0] = prompt_tokens(reply.document)

        async def account() -> None:
            await asyncio.sleep(WARM_UP_S)
            beside, since = Beside(), time.perf_counter()
            await asyncio.sleep(until - since)
            spent.append(beside.cpu_s / (time.perf_counter() - since))

        async with asyncio.TaskGroup() as group:
            group.create_task(account())
            for _ in range(programs):
                group.create_task(work())
    inside = [at for at in ended if WARM_UP_S <= at < WARM_UP_S + SECONDS]
    if not inside:
        raise RequestFailed(f"{url}: no program ended within {SECONDS:g} s")
    per_s = len(inside) * chains * TOKENS / SECONDS
    return Filled(per_s, engines, prompt[0], chains, spent[0], float(os.cpu_count() or 1))


async def _status(url: str) -> dict[str, Any]:
    async with connect(url, 1) as client:
        return await health(client)


def _body(model: str, number: int, chains: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION.format(number=number)}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "program": {"algorithm": DEFAULT_ALGORITHM, "max_branches": chains, "policy": "even"},
    }
