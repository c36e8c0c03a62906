"""Open-loop load on a running cluster: `python -m cluster.bench.load`.

First, what each kind of query takes alone, and the capacity: what policy `even` completes per
second when it never runs dry. Then Poisson arrivals at multiples of the capacity, under each
policy: the same arrivals with the same problems, one policy after the other at each rate.

Run it where the cluster is otherwise idle. The client is one process; a query costs it about 1.3 ms
of CPU time, so up to some 200 queries/s it is no bottleneck. It says how much of a core it took and
how late it sent, and which points are to be distrusted for that.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from cluster.bench.client import URL, RequestFailed
from cluster.bench.load.figures import against, figures
from cluster.bench.load.measure import ALONE_POLICY, Note, Plan, Record, log_to, measure
from cluster.bench.load.mix import MIX, read_mix
from cluster.bench.load.tables import LEGEND, alone_table, client_report, comparison, overview
from cluster.bench.options import above_zero, levels, names, natural, positive, rates
from cluster.bench.stats import machine_load
from dynasor.errors import InvalidField

QUICK: dict[str, Any] = {
    "rates": (0.5, 1.5),
    "seconds": 8.0,
    "repeats_alone": 1,
    "capacity_s": 12.0,
}
"""Defaults for a first look."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the load test and print it; when interrupted, of the points that were complete by then.

    Returns:
        0, or 1 if the cluster did not answer, queries failed, or it was interrupted.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    args = parse(argv)
    load = machine_load()
    try:
        mix = read_mix(args.mix)
        mix.check((ALONE_POLICY, *args.policies))
    except (OSError, ValueError, InvalidField, yaml.YAMLError) as error:
        print(f"load: {args.mix}: {error}", file=sys.stderr)
        return 1
    names_of = [name for name in Plan.__dataclass_fields__ if name != "mix"]
    plan = Plan(mix=mix, **{name: getattr(args, name) for name in names_of})
    record, whole = Record(), True
    with nullcontext() if args.out is None else args.out.open("w") as file:
        note = log_to(file)
        note("run", {**vars(args), "mix": mix, "machine": load})
        try:
            asyncio.run(measure(args.url, args.model, plan, record, note))
        except RequestFailed as error:
            print(f"load: {error}", file=sys.stderr)
            whole = False
        except KeyboardInterrupt:
            print("\ninterrupted: the point that was being measured is left out")
            whole = False
        print(f"\nMachine: {load}. Order of the queue: {args.order or 'not said'}.\n")
        print(report(record, plan, note))
    failed = [query for run in record.runs for query in run.asked if query.outcome == "failed"]
    if failed:
        print(f"\n{len(failed)} queries FAILED; the first: {failed[0].message}")
    return 0 if whole and not failed else 1


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The options; `--quick` changes the defaults of others.

    Raises:
        SystemExit: arguments that argparse refuses.
    """
    parser = _parser()
    if parser.parse_args(argv).quick:
        parser.set_defaults(**QUICK)
    return parser.parse_args(argv)


def report(record: Record, plan: Plan, note: Note) -> str:
    """All tables of what has been measured; every figure is noted as well."""
    parts = []
    if record.alone:
        parts.append(alone_table(record.alone))
    if record.capacity is not None:
        sent = "sent with each query" if plan.send_deadlines else "not sent"
        parts.append(
            f"Capacity, policy `{ALONE_POLICY}`: {record.capacity:.2f} queries/s. Deadline: "
            f"{plan.slo_scale:g} times the time alone, {sent}."
        )
    if record.runs:
        found = figures(record.runs, plan.seed)
        compared = against(record.runs, plan.policies[0], plan.seed)
        for item in found:
            note("figures", asdict(item))
        for other in compared:
            note("against", {"baseline": plan.policies[0], **asdict(other)})
        parts += [overview(found), LEGEND, comparison(compared, plan.policies[0])]
        parts.append(client_report(found))
    return "\n\n".join(filter(None, parts)) or "Nothing was measured."


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m cluster.bench.load",
        description="Poisson load on a running cluster, from light to overload, under several "
        "policies: accuracy, tokens, latency, deadlines, fairness.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--url", default=URL, help="the cluster's address")
    add("--model", help="name of the model; None: the first that is served")
    add("--mix", type=Path, default=MIX, metavar="FILE", help="kinds of queries and their shares")
    add("--levels", type=levels, default="1-8", help="steps of a problem, 1-8 or 1,2,8")
    add("--policies", type=names, default="even,threshold,beta,value", help="the baseline first")
    add("--rates", type=rates, default="0.3,0.6,0.9,1.2,1.6,2", help="multiples of the capacity")
    add("--seconds", type=above_zero, default=30.0, metavar="S", help="of arrivals at each point")
    add("--turns", type=positive, default=1, metavar="N", help="points of each rate and policy")
    add("--seed", type=natural, default=0, help="of arrivals, problems and the bootstrap")
    add("--slo-scale", type=above_zero, default=3.0, metavar="X", help="deadline over time alone")
    add("--send-deadlines", action="store_true", help="as the queries' deadline_s; else only kept")
    add("--repeats-alone", type=positive, default=2, metavar="N", help="of each kind and level")
    add("--clients", type=positive, default=32, metavar="N", help="that measure the capacity")
    add("--capacity-s", type=above_zero, default=30.0, metavar="S", help="how long they do")
    add("--limit-s", type=above_zero, default=90.0, metavar="S", help="then a query is given up")
    add("--order", metavar="NAME", help="what the cluster's queue is set to, for the record")
    add("--quick", action="store_true", help="other defaults: a first look, in 3 minutes")
    add("--out", type=Path, metavar="FILE", help="everything, as lines of JSON, while it runs")
    return parser


if __name__ == "__main__":
    sys.exit(main())
