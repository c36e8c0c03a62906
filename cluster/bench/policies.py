"""Accuracy and cost of allocator policies on a running cluster: `python -m cluster.bench.policies`.

Every policy gets the same problems. Requests of different policies alternate and run side by
side, so that whatever else the machine does hits all policies alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.bench.client import URL, RequestFailed, chat, connect, first_model
from cluster.bench.jobs import Job, Progress, plan, run
from cluster.bench.options import levels, names, natural, positive
from cluster.bench.stats import machine_load
from cluster.bench.trials import Comparison, Trial, as_documents
from dynasor.algorithms import DEFAULT_ALGORITHM
from dynasor.answers.equal import equal


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print it. Returns 0, or 1 if a request failed.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    args = _parser().parse_args(argv)
    load = machine_load()
    try:
        progress = asyncio.run(measure(args))
    except RequestFailed as error:
        print(f"policies: {error}", file=sys.stderr)
        return 1
    comparison = Comparison(args.policies, progress.results, args.seed)
    print(f"\nMachine: {load}. {args.concurrency} requests at a time.\n\n{comparison.report()}")
    if args.out is not None:
        document = {
            "arguments": {**vars(args), "out": str(args.out)},
            "machine": load,
            "summary": comparison.document(),
            "trials": as_documents(progress.results),
            "failures": as_documents(progress.failures),
        }
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    progress.report_failures()
    return 1 if progress.failures else 0


async def measure(args: argparse.Namespace) -> Progress[Trial]:
    """Send all requests, ``args.concurrency`` at a time.

    Raises:
        RequestFailed: the server can't be reached at all.
    """
    jobs = list(plan(args.problems, args.levels, args.policies, args.seed))
    progress = Progress[Trial](len(jobs))
    async with connect(args.url, args.concurrency) as client:
        model = args.model or await first_model(client)

        async def answer(job: Job) -> Trial:
            reply = await chat(client, _body(job, model, args.max_branches))
            return _trial(job, reply.document.get("program"), reply.latency_s)

        await run(jobs, answer, args.concurrency, progress)
    return progress


def _body(job: Job, model: str, max_branches: int) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": job.problem.text}],
        "temperature": 1.0,
        "program": {
            "algorithm": DEFAULT_ALGORITHM,
            "max_branches": max_branches,
            "policy": job.under,
        },
    }


def _trial(job: Job, program: Any, latency_s: float) -> Trial:
    try:
        answer = program["answer"]
        return Trial(
            problem=job.number,
            level=job.problem.level,
            policy=job.under,
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
    add("--levels", type=levels, default="1-8", help="steps of a problem, 1-8 or 1,2,8")
    add("--max-branches", type=positive, default=16, metavar="N", help="most chains of a problem")
    add("--policies", type=names, default="even,threshold", help="the baseline first")
    add("--concurrency", type=positive, default=8, metavar="N", help="requests at a time")
    add("--seed", type=natural, default=0, help="of the problems and of the bootstrap")
    add("--out", type=Path, metavar="FILE", help="also write all results there, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
