"""Requests of a comparison: in which order they are sent, and what came of them so far."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from cluster.bench.client import RequestFailed
from cluster.models.abacus.problems import Problem, make_problems

SAY_EVERY_S = 10.0
SHOWN_FAILURES = 5

T = TypeVar("T")


class Job(NamedTuple):
    """A problem, and the one of the things compared that it is put under."""

    number: int
    problem: Problem
    under: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A problem that got no answer from the server."""

    problem: int
    level: int
    under: str
    message: str


def plan(count: int, levels: Sequence[int], names: Sequence[str], seed: int) -> Iterator[Job]:
    """All requests in their order: levels in turn, and all names of each problem together.

    Which name comes first changes from problem to problem.
    """
    each = -(-count // len(levels))
    pools = [make_problems(level, each, seed) for level in levels]
    for number in range(count):
        turn, place = divmod(number, len(levels))
        problem = pools[place][turn]
        # By turn and place: by the number alone, a level might always begin with the same name.
        first = (turn + place) % len(names)
        for name in (*names[first:], *names[:first]):
            yield Job(number, problem, name)


class Progress(Generic[T]):
    """What has come in so far; says so now and then, and how long the rest may take."""

    def __init__(self, expected: int) -> None:
        self.results: list[T] = []
        self.failures: list[Failure] = []
        self._expected = expected
        self._began = self._said = time.monotonic()

    def add(self, result: T | Failure) -> None:
        """Take one more."""
        if isinstance(result, Failure):
            self.failures.append(result)
        else:
            self.results.append(result)
        done, now = len(self.results) + len(self.failures), time.monotonic()
        if done == self._expected or now - self._said >= SAY_EVERY_S:
            self._said = now
            left_s = (now - self._began) / done * (self._expected - done)
            print(
                f"{done} of {self._expected} requests, {len(self.failures)} failed, "
                f"about {left_s / 60:.0f} min left",
                flush=True,
            )

    def report_failures(self) -> None:
        """Say which requests failed, and why."""
        if self.failures:
            print(f"\n{len(self.failures)} requests FAILED; they are not counted above:")
        for failure in self.failures[:SHOWN_FAILURES]:
            print(f"  problem {failure.problem} under {failure.under}: {failure.message}")


async def run(
    jobs: Sequence[Job],
    answer: Callable[[Job], Awaitable[T]],
    concurrency: int,
    progress: Progress[T],
) -> None:
    """Put all jobs, so many at a time, in their order. ``answer`` may raise RequestFailed."""
    waiting = iter(jobs)

    async def work() -> None:
        for job in waiting:
            try:
                progress.add(await answer(job))
            except RequestFailed as error:
                progress.add(Failure(job.number, job.problem.level, job.under, str(error)))

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
