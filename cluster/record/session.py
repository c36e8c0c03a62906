"""One run of the recording: asks for what is left, keeps what comes, shows how far it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace

import httpx
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from cluster.bench.client import RequestFailed, connect, first_model, health
from cluster.bench.reports.environment import environment
from cluster.record.partial import Partial, Session
from cluster.record.plan import Plan
from cluster.record.recorder import Recorder, record_all
from dynasor.replay.recording import Question

SPEED_S = 120
"""Time over which the speed is estimated: questions end many at a time and seconds apart."""


async def record(
    url: str, plan: Plan, questions: Sequence[Question], partial: Partial, clients: int
) -> None:
    """Record the questions that the partial recording lacks, so many at a time.

    Raises:
        RequestFailed: an answer did not come; what was finished before is kept.
        ValueError: the cluster lacks what the plan needs, or the partial recording follows another.
        OSError: the partial recording can't be written.
    """
    left = [question for question in questions if question.id not in partial.done]
    if not left:
        return
    async with connect(url, clients) as client:
        plan = await fitted(plan, client)
        partial.begin(Session(asdict(plan), dict(environment())))
        with _progress() as progress:
            task = progress.add_task(
                "questions", total=len(questions), completed=len(questions) - len(left)
            )

            def keep(question: Question) -> None:
                partial.add(question)
                progress.advance(task)

            try:
                await record_all(Recorder(client, plan), left, clients, keep)
            except RequestFailed as error:
                message = f"{error}\nthe same command goes on after {len(partial.done)} questions"
                raise RequestFailed(message, error.status) from None


async def fitted(plan: Plan, client: httpx.AsyncClient) -> Plan:
    """The plan with what only the cluster knows: its model, and whether it judges chains.

    Raises:
        RequestFailed: it does not say.
        ValueError: a tree is wanted, and nobody judges its steps.
    """
    model = plan.model or await first_model(client)
    rewards = bool((await health(client)).get("scorers"))
    if plan.trees and not rewards:
        raise ValueError("--trees 1 needs a cluster with a reward model; give --trees 0")
    trees = int(rewards) if plan.trees is None else plan.trees
    return replace(plan, model=model, rewards=rewards, trees=trees)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        speed_estimate_period=SPEED_S,
    )
