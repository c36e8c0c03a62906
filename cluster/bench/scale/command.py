"""`dynasor bench scale`: what the controller costs and what replicas are worth as a cluster grows.

Simulated: the core is the real one and its CPU time is measured, in virtual time around engines of
a profile. Every size gets the same loads per replica: one that it carries with ease, and one at
which programs wait and tokens have a price. Efficiency is what a replica generates at the second,
relative to the smallest size.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from cluster.bench.options import numbers, positive, rates
from cluster.bench.reports.options import add_options, out_directory
from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from cluster.bench.scale.figures import Found

SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
SMOKE_SIZES = (2, 8)
LOADS = (0.5, 4.0)
"""Times what policy "even" sustains; adaptive policies sustain about twice as much, and more while
their price rises."""

SMOKE_QUERIES = 24
REPEATED = 16
"""Replicas up to which a size is cheap enough to be simulated with several seeds."""

REPEATS = 3
PROFILE = "published_h100_llama31_8b_fp8"
POLICY = "value"


def add_parser(benches: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = benches.add_parser(
        "scale",
        help="controller CPU, decision latency and efficiency of 2 to 256 simulated replicas",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_options(parser)
    add = parser.add_argument
    add("--sizes", type=numbers, metavar="N,…", help=f"replicas (default: {_listed(SIZES)})")
    add("--profile", default=PROFILE, metavar="NAME", help="of the engines (default: %(default)s)")
    add("--policy", default=POLICY, metavar="NAME", help="default: %(default)s")
    add(
        "--loads",
        type=rates,
        default=LOADS,
        metavar="X,…",
        help="multiples of what policy even sustains, about "
        f"(default: {_listed(LOADS)}); the largest is to saturate",
    )
    add(
        "--queries",
        type=positive,
        default=50,
        metavar="N",
        help="queries per replica and load (default: %(default)s)",
    )
    add(
        "--repeats",
        type=positive,
        default=REPEATS,
        metavar="N",
        help=f"seeds of sizes up to {REPEATED} replicas; others have one (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate all sizes and write the report; returns 0. Raises CliError for bad options."""
    from rich.console import Console

    from cluster.bench.reports.environment import environment
    from cluster.bench.reports.report import write_report
    from cluster.bench.scale.cluster import cluster
    from cluster.bench.scale.figures import document, table
    from cluster.controller.memory import tune
    from cluster.sim.repeats import with_seed
    from cluster.sim.simulation import simulate

    began = environment()
    sizes = tuple(sorted(args.sizes or (SMOKE_SIZES if args.smoke else SIZES)))
    each = SMOKE_QUERIES if args.smoke else args.queries
    found: Found = {}
    try:
        for size, load in itertools.product(sizes, sorted(args.loads)):
            scenario = cluster(args.profile, args.policy, size, load, each * size, args.seed)
            tune()
            repeats = 1 if args.smoke or size > REPEATED else args.repeats
            found[size, load] = [
                simulate(with_seed(scenario, repeat), scenario.systems[0])
                for repeat in range(repeats)
            ]
            wall_s = sum(one.costs.wall_s for one in found[size, load])
            print(f"{size} replicas, load {load:g}: {wall_s:.1f} s", file=sys.stderr)
    except ValueError as error:
        raise CliError(str(error)) from None
    Console(width=140).print(table(found))
    directory = out_directory(args, "scale")
    write_report(document(found, scenario, began), directory)
    print(f"report: {directory}/index.html")
    return 0


def _listed(values: Sequence[float]) -> str:
    return ",".join(f"{value:g}" for value in values)
