"""Accuracy and cost of allocator policies on a running cluster: `python -m cluster.bench.policies`.

Every policy gets the same problems. Requests of different policies alternate and run side by
side, so that whatever else the machine does hits all policies alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from cluster.bench.client import URL, RequestFailed, chat, connect, first_model
from cluster.bench.options import natural, positive
from cluster.bench.stats import machine_load
from cluster.bench.trials import Comparison, Failure, Trial, as_documents
from cluster.models.abacus.problems import Problem, make_problems
from dynasor.answers.equal import equal

SAY_EVERY_S = 10.0
SHOWN_FAILURES = 5


class Job(NamedTuple):
    """A problem to be put under a policy."""

    number: int
    problem: Problem
    policy: str


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print it. Returns 0, or 1 if a request failed.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    args = _parser().parse_args(argv)
    load = machine_load()
    try:
        trials, failures = asyncio.run(measure(args))
    except RequestFailed as error:
        print(f"policies: {error}", file=sys.stderr)
        return 1
    comparison = Comparison(args.policies, trials, args.seed)
    print(f"\nMachine: {load}. {args.concurrency} requests at a time.\n\n{comparison.report()}")
    if args.out is not None:
        document = {
            "arguments": {**vars(args), "out": str(args.out)},
            "machine": load,
            "summary": comparison.document(),
            "trials": as_documents(trials),
            "failures": as_documents(failures),
        }
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    if failures:
        print(f"\n{len(failures)} requests FAILED; their problems are not counted above:")
        for failure in failures[:SHOWN_FAILURES]:
            print(f"  problem {failure.problem} under {failure.policy}: {failure.message}")
    return 1 if failures else 0


async def measure(args: argparse.Namespace) -> tuple[list[Trial], list[Failure]]:
    """Send all requests, ``args.concurrency`` at a time.

    Raises:
        RequestFailed: the server can't be reached at all.
    """
    jobs = list(plan(args.problems, args.levels, args.policies, args.seed))
    waiting, progress = iter(jobs), Progress(len(jobs))
    async with connect(args.url, args.concurrency) as client:
        model = args.model or await first_model(client)

        async def work() -> None:
            for job in waiting:
                progress.add(await _answer(client, job, _body(job, model, args.max_branches)))

        async with asyncio.TaskGroup() as group:
            for _ in range(args.concurrency):
                group.create_task(work())
    return progress.trials, progress.failures


class Progress:
    """What has come in so far; says so now and then."""

    def __init__(self, expected: int) -> None:
        self.trials: list[Trial] = []
        self.failures: list[Failure] = []
        self._expected = expected
        self._said = time.monotonic()

    def add(self, result: Trial | Failure) -> None:
        """Take one more."""
        if isinstance(result, Trial):
            self.trials.append(result)
        else:
            self.failures.append(result)
        done, failed = len(self.trials) + len(self.failures), len(self.failures)
        if done == self._expected or time.monotonic() - self._said >= SAY_EVERY_S:
            self._said = time.monotonic()
            print(f"{done} of {self._expected} requests, {failed} failed", flush=True)


def plan(count: int, levels: Sequence[int], policies: Sequence[str], seed: int) -> Iterator[Job]:
    """All requests in their order: levels in turn, and the policies of each problem together.

    Which policy comes first changes from problem to problem.
    """
    each = -(-count // len(levels))
    pools = [make_problems(level, each, seed) for level in levels]
    for number in range(count):
        turn, place = divmod(number, len(levels))
        problem = pools[place][turn]
        # By turn and place: by the number alone, a level might always begin with the same policy.
        first = (turn + place) % len(policies)
        for policy in (*policies[first:], *policies[:first]):
            yield Job(number, problem, policy)


async def _answer(client: httpx.AsyncClient, job: Job, body: dict[str, Any]) -> Trial | Failure:
    try:
        reply = await chat(client, body)
        return _trial(job, reply.document.get("program"), reply.latency_s)
    except RequestFailed as error:
        return Failure(job.number, job.problem.level, job.policy, str(error))


def _body(job: Job, model: str, max_branches: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": job.problem.text}],
        "temperature": 1.0,
        "program": {
            "algorithm": "self_consistency",
            "max_branches": max_branches,
            "policy": job.policy,
        },
    }


def _trial(job: Job, program: Any, latency_s: float) -> Trial:
    try:
        answer = program["answer"]
        return Trial(
            problem=job.number,
            level=job.problem.level,
            policy=job.policy,
            answer=answer,
            correct=answer is not None and equal(answer, str(job.problem.answer)),
            tokens=program["tokens"]["generated"],
            branches=sum(1 for branch in program["branches"] if branch["runs"]),
            latency_s=latency_s,
            certaindex=program["certaindex"],
            stop=program["stop"],
        )
    except (LookupError, TypeError) as error:
        raise RequestFailed(f"unusable program object in the response: {error!r}") from None


def parse_levels(text: str) -> tuple[int, ...]:
    """``1-8``, ``3`` or ``1,2,8`` as levels.

    Raises:
        argparse.ArgumentTypeError: it is none of these, or a level is below 1.
    """
    levels: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            levels.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        levels = []
    if not levels or min(levels) < 1:
        raise argparse.ArgumentTypeError(f"must be like 1-8 or 1,2,8, from 1 on; got {text!r}")
    return tuple(dict.fromkeys(levels))


def parse_policies(text: str) -> tuple[str, ...]:
    """Names with commas between them, each once."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not names:
        raise argparse.ArgumentTypeError("must name at least one policy")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster.bench.policies",
        description="Compare allocator policies on a running cluster: accuracy and tokens.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--url", default=URL, help="the cluster's address")
    add("--model", help="name of the model; None: the first that is served")
    add("--problems", type=positive, default=200, metavar="N", help="problems, over all levels")
    add("--levels", type=parse_levels, default="1-8", help="steps of a problem, 1-8 or 1,2,8")
    add("--max-branches", type=positive, default=16, metavar="N", help="most chains of a problem")
    add("--policies", type=parse_policies, default="even,threshold", help="the baseline first")
    add("--concurrency", type=positive, default=8, metavar="N", help="requests at a time")
    add("--seed", type=natural, default=0, help="of the problems and of the bootstrap")
    add("--out", type=Path, metavar="FILE", help="also write all results there, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
