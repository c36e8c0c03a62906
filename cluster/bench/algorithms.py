"""All algorithms on a running cluster, in one table: `python -m cluster.bench.algorithms`.

Every row of the table gets the same problems. Requests of different rows alternate and run side
by side, so that whatever else the machine does hits all rows alike. The rows are data: see
`rows.yaml` beside this file.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from cluster.bench.client import URL, RequestFailed, chat, connect, first_model
from cluster.bench.jobs import Job, Progress, plan, run
from cluster.bench.options import levels, names, natural, positive
from cluster.bench.outcomes import Outcome, body, outcome
from cluster.bench.report import statements, tables
from cluster.bench.results import Check, Results
from cluster.bench.rows import ROWS, Row, read_sheet
from cluster.bench.stats import as_objects, machine_load


def main(argv: Sequence[str] | None = None) -> int:
    """Run the comparison and print it; when interrupted, of what has come in by then.

    Returns:
        0, or 1 if a request failed, an expectation is not met, or it was interrupted.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    args = _parser().parse_args(argv)
    load = machine_load()
    try:
        sheet = read_sheet(args.rows)
        rows = sheet.chosen(args.only)
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"algorithms: {args.rows}: {error}", file=sys.stderr)
        return 1
    jobs = list(plan(args.problems, args.levels, [row.name for row in rows], args.seed))
    progress = Progress[Outcome](len(jobs))
    whole = True
    try:
        asyncio.run(_measure(args, rows, sheet.majority, jobs, progress))
    except RequestFailed as error:
        print(f"algorithms: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        whole = False
        print("\ninterrupted")
    results = Results(rows, sheet.majority, progress.results, progress.failures, args.seed)
    print(f"\nMachine: {load}. {args.problems} problems, {args.concurrency} requests at a time.\n")
    checks = [results.check(expectation) for expectation in sheet.expect]
    print(f"{tables(results)}\n\n{statements(checks)}")
    if args.out is not None:
        document = _document(args, load, results, checks, progress)
        args.out.write_text(json.dumps(document, indent=1) + "\n")
    progress.report_failures()
    missed = any(check.met is False for check in checks)
    return 1 if progress.failures or missed or not whole else 0


async def _measure(
    args: argparse.Namespace,
    rows: Sequence[Row],
    majority: str,
    jobs: Sequence[Job],
    progress: Progress[Outcome],
) -> None:
    """Send all requests, ``args.concurrency`` at a time.

    Raises:
        RequestFailed: the server can't be reached at all.
    """
    by_name = {row.name: row for row in rows}
    async with connect(args.url, args.concurrency) as client:
        model = args.model or await first_model(client)

        async def answer(job: Job) -> Outcome:
            row = by_name[job.under]
            reply = await chat(client, body(job, row, model))
            return outcome(job, row, reply, chains=row.name == majority)

        await run(jobs, answer, args.concurrency, progress)


def _document(
    args: argparse.Namespace,
    load: str,
    results: Results,
    checks: Sequence[Check],
    progress: Progress[Outcome],
) -> dict[str, Any]:
    """All results, as JSON."""
    return {
        "arguments": {**vars(args), "out": str(args.out), "rows": str(args.rows)},
        "machine": load,
        "rows": [row.model_dump() for row in results.rows],
        "summary": {name: as_objects(asdict(found)) for name, found in results.figures.items()},
        "expectations": [
            {
                **check.expectation.model_dump(exclude_none=True),
                "value": as_objects(check.value),
                "met": check.met,
                "clear": check.clear,
            }
            for check in checks
        ],
        "trials": [asdict(trial) for trial in progress.results],
        "failures": [asdict(failure) for failure in progress.failures],
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster.bench.algorithms",
        description="Compare algorithms on a running cluster: accuracy, tokens and latency, also "
        "with majority voting at equal tokens.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--url", default=URL, help="the cluster's address")
    add("--model", help="name of the model; None: the first that is served")
    add("--problems", type=positive, default=200, metavar="N", help="problems, over all levels")
    add("--levels", type=levels, default="1-8", help="steps of a problem, 1-8 or 1,2,8")
    add("--rows", type=Path, default=ROWS, metavar="FILE", help="rows of the table and programs")
    add("--only", type=names, metavar="NAMES", help="rows to run, with commas; None: all")
    add("--concurrency", type=positive, default=8, metavar="N", help="requests at a time")
    add("--seed", type=natural, default=0, help="of the problems and of the bootstrap")
    add("--out", type=Path, metavar="FILE", help="also write all results there, as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
