"""`dynasor bench fidelity`: the same workload on a real cluster and on a simulated one."""

from __future__ import annotations

import argparse
from typing import Any

from cluster.bench.options import above_zero, positive, rates
from cluster.bench.reports.options import add_options
from cluster.bench.systems.options import add_system_options

POLICIES = ("even", "threshold", "beta", "value")
PROFILE = "cpu_abacus"
LOADS = (0.4, 0.8, 1.2)
SECONDS, REPEATS, CLIENTS, CAPACITY_S = 25.0, 2, 32, 25.0
SMOKE_SECONDS, SMOKE_LOADS, SMOKE_POLICIES = 3.0, (0.5,), ("even", "beta")
SMOKE_CAPACITY_S = 3.0


def add_parser(benches: Any) -> None:
    """Add the benchmark to the parser's subcommands."""
    parser = benches.add_parser(
        "fidelity",
        help="the simulator next to the cluster that it simulates",
        description="Ask a real cluster a workload, open loop, under several policies and loads; "
        "then simulate the same queries with the engine's profile. Compared are mean and P90 "
        "latency, throughput and tokens, which should differ by at most 15%, and how the policies "
        "rank. Starts the config's cluster, and stops it again.",
    )
    add_system_options(parser, ",".join(POLICIES))
    add = parser.add_argument
    add(
        "--profile",
        default=PROFILE,
        metavar="NAME",
        help="one that ships, or a .json file of `dynasor profile-engine` (default: %(default)s)",
    )
    add(
        "--loads",
        type=rates,
        default=LOADS,
        metavar="X,X,…",
        help="arrivals, as shares of the capacity "
        f"(default: {','.join(f'{load:g}' for load in LOADS)})",
    )
    add(
        "--capacity",
        type=above_zero,
        metavar="R",
        help=f"queries per second (default: what {CLIENTS} clients without pause get answered "
        "under even)",
    )
    add("--seconds", type=above_zero, default=SECONDS, metavar="S", help="of arrivals in each run")
    add(
        "--repeats",
        type=positive,
        default=REPEATS,
        metavar="N",
        help="runs of each policy and load, with other arrivals (default: %(default)s)",
    )
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, simulate, print and write the report; returns 1 if a figure is off by more, or
    policies rank differently; else, and at the smoke size, 0.

    Raises:
        CliError: an option can't be used, or the cluster did not start or gave no usable answers.
    """
    from cluster.bench.fidelity.session import compare

    if args.smoke:
        args.seconds, args.loads, args.repeats = SMOKE_SECONDS, SMOKE_LOADS, 1
        args.systems, args.capacity_s = SMOKE_POLICIES, SMOKE_CAPACITY_S
    else:
        args.capacity_s = CAPACITY_S
    args.clients = CLIENTS
    return compare(args)
