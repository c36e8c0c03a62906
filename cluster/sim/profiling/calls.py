"""Measures what lies between a caller and the engines of a running cluster.

Two kinds of requests, one at a time: a plain one, and a program that starts one branch after the
other. From the plain one's time, less what its engine takes by the fitted costs, comes the whole
way; from what each further branch of the program adds, less its engine's time, comes the way from
an engine to the core and back. That is split in halves: from outside they can't be told apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from cluster.bench.client import RequestFailed, chat, connect, first_model
from cluster.sim.profile import CallCost, StepCost
from cluster.sim.profiling.progress import Say
from dynasor.algorithms import DEFAULT_ALGORITHM

ASSUMED = CallCost(command_s=0.002, report_s=0.002, query_s=0.008)
"""Where nothing was measured: of Ray Serve on one machine."""

REPEATS = 30
WARM_UP = 3
TOKENS = 8
"""Of each branch; few, so that the engine's part, which is only known by its fit, is small."""

BRANCHES = 8
QUESTION = "Start with 12. Multiply by 3. Subtract 6. Add 9. What is the result?"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Medians in seconds, and what was asked.

    Attributes:
        plain: of one branch.
        serial: of ``branches`` branches, one after the other.
        prompt: tokens of the prompt.
    """

    plain: float
    serial: float
    prompt: int
    tokens: int = TOKENS
    branches: int = BRANCHES


def call_cost(step: StepCost, block_size: int, seen: Latencies) -> CallCost:
    """The costs that explain the latencies; none is below 0.

    Args:
        block_size: the prompts are asked again and again, so that all whole blocks are cached.
    """
    cached = (seen.prompt - 1) // block_size * block_size
    read = seen.prompt - cached
    attended = read * (cached + (read + 1) / 2)
    first_s = step.step_s(0, 0, read, attended, 1)
    engine_s = first_s + step.steps_s(seen.tokens - 1, 1, seen.prompt + 1)
    way_s = (seen.serial - seen.plain) / (seen.branches - 1) - engine_s
    half_s = max(0.0, way_s / 2)
    query_s = max(0.0, seen.plain - engine_s - 2 * half_s)
    return CallCost(command_s=half_s, report_s=half_s, query_s=query_s)


async def measure_calls(url: str, say: Say) -> Latencies:
    """Ask an otherwise idle cluster.

    Raises:
        RequestFailed: it can't be reached, or gives no usable answers.
    """
    plain: list[float] = []
    serial: list[float] = []
    prompt = 0
    async with connect(url, 1) as client:
        model = await first_model(client)
        for number in range(WARM_UP + REPEATS):
            say("calls", number, WARM_UP + REPEATS)
            for program, found in ((None, plain), (_one_by_one(), serial)):
                reply = await chat(client, _body(model, program))
                prompt = prompt_tokens(reply.document)
                if number >= WARM_UP:
                    found.append(reply.latency_s)
    return Latencies(median(plain), median(serial), prompt)


def prompt_tokens(document: dict[str, Any]) -> int:
    """Of a response. Raises RequestFailed: it does not say."""
    try:
        return int(document["usage"]["prompt_tokens"])
    except (LookupError, TypeError, ValueError):
        raise RequestFailed("the response has no usage.prompt_tokens") from None


def _body(model: str, program: dict[str, Any] | None) -> dict[str, Any]:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": QUESTION}],
        "max_tokens": TOKENS,
        "ignore_eos": True,
    }
    return body if program is None else {**body, "program": program}


def _one_by_one() -> dict[str, Any]:
    """Its branches are too short to have answers, so it never becomes certain."""
    policy = {"name": "threshold", "knob": 1, "wave": 1, "threshold": 1.0}
    return {"algorithm": DEFAULT_ALGORITHM, "max_branches": BRANCHES, "policy": policy}
