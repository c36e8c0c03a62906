"""`dynasor bench scale`: what the controller costs and what replicas are worth as a cluster grows.

Simulated: the core is the real one and its CPU time is measured, in virtual time around engines of
a profile. Every size gets the same load per replica.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from cluster.bench.options import above_zero, numbers, positive
from cluster.bench.reports.options import add_options, out_directory
from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from cluster.bench.reports.document import Document, Measure
    from cluster.bench.reports.environment import Environment
    from cluster.sim.settings import Scenario
    from cluster.sim.simulation import Simulated

SIZES = (2, 4, 8, 16, 32, 64, 128, 256)
SMOKE_SIZES = (2, 8)
LEAST_QUERIES = 600
"""Of a size, however few replicas it has: fewer would tell more of chance than of the cluster."""

SMOKE_QUERIES = 20
PROFILE = "published_h100_llama31_8b_fp8"
POLICY = "value"

QUESTIONS = {
    "questions": 2000, "samples": 32, "chains": 0, "steps": 0, "tokens": 512
}  # fmt: skip
PROGRAM = {"algorithm": "self_consistency", "max_branches": 16}
CONTROLLER = {"lease_tokens": 2048, "max_programs": 1_000_000, "reports_per_s": 200}
REPORT_TOKENS_S = 2.0
"""How long token counts wait for a report: the controller's cost grows with sequences, and with
how often they are told of."""


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
        "--rate",
        type=above_zero,
        default=1.0,
        metavar="R",
        help="queries per second and replica (default: %(default)s)",
    )
    add(
        "--queries",
        type=positive,
        default=60,
        metavar="N",
        help=f"queries per replica, and {LEAST_QUERIES} at least (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate all sizes and write the report; returns 0. Raises CliError for bad options."""
    from rich.console import Console

    from cluster.bench.reports.environment import environment
    from cluster.bench.reports.report import write_report
    from cluster.controller.memory import tune
    from cluster.sim.simulation import simulate

    began = environment()
    sizes = tuple(sorted(args.sizes or (SMOKE_SIZES if args.smoke else SIZES)))
    least = 0 if args.smoke else LEAST_QUERIES
    each = SMOKE_QUERIES if args.smoke else args.queries
    found: dict[int, Simulated] = {}
    try:
        for size in sizes:
            queries = max(least, each * size)
            scenario = load(args.profile, args.policy, size, args.rate, queries, args.seed)
            tune()
            found[size] = simulate(scenario, scenario.systems[0])
            print(f"{size} replicas: {found[size].costs.wall_s:.1f} s", file=sys.stderr)
    except ValueError as error:
        raise CliError(str(error)) from None
    Console(width=120).print(_table(found))
    directory = out_directory(args, "scale")
    write_report(document(found, scenario, began), directory)
    print(f"report: {directory}/index.html")
    return 0


def load(
    profile: str, policy: str, replicas: int, rate: float, queries: int, seed: int
) -> Scenario:
    """A cluster of a size under its share of the load; ``rate``: queries per second and replica.

    Raises:
        ValueError: the profile or policy is not known; names the field.
    """
    from pathlib import Path

    from pydantic import ValidationError

    from cluster.sim.settings import Simulation, scenario
    from cluster.workload.workload import Workload
    from dynasor.errors import first_invalid

    args = {
        "model": {"max_model_len": 16_384},
        "engine": {"report_tokens_s": REPORT_TOKENS_S},
        "controller": {**CONTROLLER, "policy": policy},
    }
    try:
        simulation = Simulation.model_validate(
            {"profile": profile, "replicas": replicas, "args": args, "timeline": {"programs": 0}}
        )
        workload = Workload.model_validate(
            {
                "questions": {"parametric": QUESTIONS},
                "arrivals": {"process": "poisson", "rate": rate * replicas},
                "queries": queries,
                "kinds": [{"name": "vote", "program": PROGRAM}],
                "seed": seed,
            }
        )
    except ValidationError as error:
        raise first_invalid(error) from None
    return scenario(simulation, workload, Path("scale"))


def document(found: dict[int, Simulated], scenario: Scenario, environment: Environment) -> Document:
    """The report. ``scenario``: of the largest size."""
    from cluster.bench.reports.document import Run
    from cluster.sim import telling

    made = telling.document(list(found.values()), scenario, environment, "scale")
    runs = [
        Run(
            system=one.system,
            load={"replicas": float(size)},
            served=one.served,
            wall_s=one.virtual_s,
            timeline=one.timeline,
        )
        for size, one in found.items()
    ]
    measures = [measure for size in found for measure in _measures(size, found)]
    return made.model_copy(update={"runs": tuple(runs), "measures": tuple(measures)})


def efficiency(size: int, found: dict[int, Simulated]) -> float:
    """Tokens per second and replica in the second half of the arrivals, when what comes and what
    goes are even, relative to the smallest size."""
    from cluster.bench.stats import ratio

    least = min(found)
    return ratio(_per_replica(size, found[size]), _per_replica(least, found[least]))


def _measures(size: int, found: dict[int, Simulated]) -> list[Measure]:
    from cluster.bench.reports.document import Measure
    from cluster.sim import telling

    one = found[size]
    measures = [
        measure.model_copy(update={"name": _named(measure.name, size)})
        for measure in telling.measures(one, "scale")
    ]
    value = efficiency(size, found)
    name = f"scale/{one.system}/{size}/efficiency"
    return [*measures, Measure(name=name, value=value, low=value, high=value, better="higher")]


def _named(name: str, size: int) -> str:
    bench, system, figure = name.split("/")
    return f"{bench}/{system}/{size}/{figure}"


def _per_replica(size: int, one: Simulated) -> float:
    last_s = max(served.at_s for served in one.served)
    ends = [(served.at_s + served.latency_s, served.tokens) for served in one.served]
    tokens = sum(tokens for end_s, tokens in ends if last_s / 2 < end_s <= last_s)
    return one.tally.stride * tokens / (last_s / 2) / size


def _table(found: dict[int, Simulated]) -> Any:
    from rich.table import Table

    table = Table(title="simulated replicas, measured controller", title_justify="left")
    header = (
        "replicas", "queries/s", "latency P50, s", "P90, s", "CPU s per s", "call P50, µs",
        "P99, µs", "per command, µs", "efficiency",
    )  # fmt: skip
    for title in header:
        table.add_column(title, justify="right")
    for size, one in found.items():
        figures, costs = one.figures, one.costs
        table.add_row(
            f"{size}",
            f"{figures['queries_per_s']:,.1f}",
            f"{figures['p50_s']:.2f}",
            f"{figures['p90_s']:.2f}",
            f"{costs.core_share:.4f}",
            f"{costs.call_p50_us:.0f}",
            f"{costs.call_p99_us:.0f}",
            f"{costs.decision_us:.0f}",
            f"{efficiency(size, found):.3f}",
        )
    return table


def _listed(sizes: tuple[int, ...]) -> str:
    return ",".join(map(str, sizes))
