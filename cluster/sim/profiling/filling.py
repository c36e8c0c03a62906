"""Measures how fast a running cluster generates when all its engines are full.

Engines that were measured by themselves know nothing of what a cluster does besides: its
controller, its ingress, Ray, and the client, which may share their processors. How much longer
steps take by that is found here, with plain chains of a fixed length under policy "even".
"""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Any

from cluster.bench.client import RequestFailed, chat, connect, first_model, health
from cluster.sim.profile import StepCost
from cluster.sim.profiling.calls import prompt_tokens
from cluster.sim.profiling.progress import Say
from dynasor.algorithms import DEFAULT_ALGORITHM
from dynasor.messages import ReplicaInfo

CHAINS = 16
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
    """

    per_s: float
    engines: int
    prompt: int
    tokens: int = TOKENS
    chains: int = CHAINS


def slowdown(step: StepCost, info: ReplicaInfo, seen: Filled) -> float:
    """How much longer steps took than in an engine by itself that is as full; at least 0."""
    slots = info.slots
    cached = (seen.prompt - 1) // info.block_size * info.block_size
    read = seen.prompt - cached
    reading = step.step_s(0, 0, read, read * (cached + (read + 1) / 2), 1) - step.base_s
    context = slots * (seen.prompt + 1)
    # One after the other, all sequences of a batch begin, and each generates all its tokens.
    expected_s = step.steps_s(seen.tokens - 1, slots, context) + step.base_s + slots * reading
    expected_per_s = seen.engines * slots * seen.tokens / expected_s
    return max(0.0, expected_per_s / seen.per_s - 1)


async def measure_filled(url: str, slots: int, say: Say) -> Filled:
    """Keep an otherwise idle cluster full for some seconds.

    Args:
        slots: of each of its engines.

    Raises:
        RequestFailed: it can't be reached, or gives no usable answers.
    """
    engines = int((await _status(url)).get("replicas", 0))
    programs = max(1, round(OVERFILL * slots * engines / CHAINS))
    numbers, ended, prompt = itertools.count(1), [], [0]
    async with connect(url, programs) as client:
        model = await first_model(client)
        began = time.perf_counter()
        until = began + WARM_UP_S + SECONDS

        async def work() -> None:
            while (now := time.perf_counter()) < until:
                say("a full cluster", int(now - began), int(WARM_UP_S + SECONDS))
                reply = await chat(client, _body(model, next(numbers)))
                ended.append(time.perf_counter() - began)
                prompt[0] = prompt_tokens(reply.document)

        async with asyncio.TaskGroup() as group:
            for _ in range(programs):
                group.create_task(work())
    inside = [at for at in ended if WARM_UP_S <= at < WARM_UP_S + SECONDS]
    if not inside:
        raise RequestFailed(f"{url}: no program ended within {SECONDS:g} s")
    return Filled(len(inside) * CHAINS * TOKENS / SECONDS, engines, prompt[0])


async def _status(url: str) -> dict[str, Any]:
    async with connect(url, 1) as client:
        return await health(client)


def _body(model: str, number: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION.format(number=number)}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "program": {"algorithm": DEFAULT_ALGORITHM, "max_branches": CHAINS, "policy": "even"},
    }
