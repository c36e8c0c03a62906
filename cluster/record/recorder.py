"""Asks a running cluster everything that is recorded of questions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from cluster.bench.client import RequestFailed, chat
from cluster.record.plan import Plan
from cluster.record.reading import Reader, Told, told
from dynasor.replay.recording import Question


@dataclass(frozen=True, slots=True)
class Recorder:
    """Records questions, one request at a time of each."""

    client: httpx.AsyncClient
    plan: Plan

    async def record(self, question: Question) -> Question:
        """The question with all that the plan wants of it.

        Raises:
            RequestFailed: an answer did not come or is unusable; names the question.
        """
        assert question.gold is not None, "what is recorded is compared with it"
        plan, reader = self.plan, Reader(question.gold)
        try:
            sampled = await self._ask(plan.samples_body(question))
            chains = [
                reader.chain((await self._ask(plan.chain_body(question))).branches)
                for _ in range(plan.chains)
            ]
            tree = await self._ask(plan.tree_body(question)) if plan.trees else Told((), 0)
            return msgspec.structs.replace(
                question,
                model=plan.model,
                prompt_tokens=sampled.prompt_tokens,
                samples=reader.samples(sampled.branches),
                chains=tuple(chains),
                steps=reader.steps(tree.branches),
            )
        except RequestFailed as error:
            raise RequestFailed(f"question {question.id}: {error}", error.status) from None
        except (LookupError, TypeError) as error:
            message = f"question {question.id}: unusable response: {error!r}"
            raise RequestFailed(message) from None

    async def _ask(self, body: dict[str, Any]) -> Told:
        return told(await chat(self.client, body))


async def record_all(
    recorder: Recorder,
    questions: Iterable[Question],
    clients: int,
    keep: Callable[[Question], None],
) -> None:
    """Record questions, so many at a time; ``keep`` is called with each that is finished.

    Raises:
        RequestFailed: as `Recorder.record`, for the first that fails; those under way are lost.
    """
    waiting = iter(questions)

    async def work() -> None:
        for question in waiting:
            keep(await recorder.record(question))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(work())
    except* RequestFailed as failures:
        raise failures.exceptions[0] from None
