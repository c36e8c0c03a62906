"""Processes killed in the middle of a query: the query answers, the process comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import openai
import psutil
import pytest

from cluster.models.abacus.problems import make_problems
from tests.cluster.e2e.conftest import Application
from tests.waiting import until

PROBLEM = make_problems(level=8, count=1, seed=5)[0]
HARD: Any = [
    {"role": "system", "content": "Think hard."},
    {"role": "user", "content": PROBLEM.text},
]
"""Long chains: there is time to kill an engine under them."""


def running(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("victim", ["replicas", "engine_cores"])
async def test_a_killed_engine_costs_no_answer(application: Application, victim: str) -> None:
    await until(lambda: application.holds(replicas=2), seconds=60)
    before = {process.pid for process in application.engine_cores()}
    assert len(before) == 2
    killed = getattr(application, victim)()[0]
    client = openai.AsyncOpenAI(
        base_url=f"{application.url}/v1", api_key="none", max_retries=0, timeout=120
    )
    program = {"max_branches": 128, "policy": "even"}
    asking = asyncio.create_task(
        client.chat.completions.create(
            model="abacus", messages=HARD, extra_body={"program": program}
        )
    )
    await until(application.all_busy, seconds=30)
    killed.kill()
    reply = await asking
    answer: Any = reply.model_extra["program"]  # type: ignore[index]
    assert len(answer["branches"]) == 128
    assert {branch["finish"] for branch in answer["branches"]} <= {"stop", "length"}
    assert answer["answer"] == str(PROBLEM.answer)
    assert any(branch["runs"] > 1 for branch in answer["branches"])

    async def healed() -> bool:
        cores = {process.pid for process in application.engine_cores()}
        return len(cores) == 2 and cores != before and await application.holds(replicas=2)

    await until(healed, seconds=120)
    left = before - {process.pid for process in application.engine_cores()}
    await until(lambda: not any(running(pid) for pid in left))
    again = await client.chat.completions.create(model="abacus:self-consistency", messages=HARD)
    assert again.model_extra["program"]["stop"] in ("certain", "complete")  # type: ignore[index]
    await client.close()


async def test_a_killed_controller_costs_no_answer(application: Application) -> None:
    await until(lambda: application.holds(replicas=2), seconds=60)
    client = openai.AsyncOpenAI(
        base_url=f"{application.url}/v1", api_key="none", max_retries=0, timeout=120
    )
    (controller,) = application.replicas("Controller")
    asking = asyncio.create_task(
        client.chat.completions.create(
            model="abacus",
            messages=HARD,
            extra_body={"program": {"max_branches": 128, "policy": "even"}},
        )
    )
    await until(application.all_busy, seconds=30)
    controller.kill()
    reply = await asking
    assert reply.model_extra["program"]["answer"] == str(PROBLEM.answer)  # type: ignore[index]
    await until(lambda: application.holds(replicas=2, runs=0), seconds=60)
    await client.close()
