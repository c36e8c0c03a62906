"""`dynasor simulate`: a cluster in virtual time, under a workload."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.bench.options import above_zero, natural, positive
from cluster.bench.reports.options import directory
from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cluster.sim.settings import Scenario
    from cluster.sim.simulation import Progress, Simulated

WIDTH = 120
"""Columns of the tables where nobody says how wide the terminal is."""


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "simulate",
        help="run a workload on a simulated cluster",
        description="Run the controller's core in virtual time, around simulated engines whose "
        "steps take what a profile says, under a workload. No GPU and no cluster is needed. Equal "
        "files, options and seeds give equal figures, but for those measured on this machine.",
    )
    add = parser.add_argument
    add("file", type=Path, metavar="FILE", help="such as serve_configs/sim_local.yaml")
    add(
        "--policy",
        action="append",
        metavar="NAME",
        help="policy of queries; several are compared on the same workload (default: as in FILE)",
    )
    add("--replicas", type=positive, metavar="N", help="engines that generate")
    add("--queries", type=positive, metavar="N", help="queries of the workload, at most")
    both = parser.add_mutually_exclusive_group()
    both.add_argument(
        "--rate", type=above_zero, metavar="R", help="queries per second, in the mean"
    )
    both.add_argument(
        "--load", type=above_zero, metavar="X", help="multiple of what policy even sustains, about"
    )
    add("--seed", type=natural, metavar="N", help="of the workload")
    add(
        "--repeats",
        type=positive,
        default=1,
        metavar="N",
        help="with seeds from --seed on: tells what figures vary by (default: %(default)s)",
    )
    add("--questions", type=Path, metavar="FILE", help="recorded questions, see traces/")
    add(
        "--out", type=directory, metavar="DIR", help="write a report there: report.json, index.html"
    )
    add("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Simulate all systems; returns 0. Raises CliError for files and options it can't use."""
    from rich.console import Console

    from cluster.bench.reports.environment import environment
    from cluster.controller.memory import tune
    from cluster.sim.capacity import with_load
    from cluster.sim.repeats import with_seed
    from cluster.sim.simulation import simulate, with_deadlines
    from cluster.sim.telling import as_json, document, tables

    began = environment()
    try:
        scenario = with_deadlines(with_load(_scenario(args)))
        tune()
        found: list[Simulated] = []
        for system in scenario.systems:
            for repeat in range(args.repeats):
                with _bar(scenario, quiet=args.json) as progress:
                    found.append(simulate(with_seed(scenario, repeat), system, progress))
    except ValueError as error:
        raise CliError(str(error)) from None
    if args.json:
        print(json.dumps(as_json(found)))
    else:
        console = Console()
        if not console.is_terminal:
            console.width = WIDTH
        console.print(*tables(found))
    if args.out is not None:
        from cluster.bench.reports.report import write_report

        write_report(document(found, scenario, began), args.out)
    return 0


def _scenario(args: argparse.Namespace) -> Scenario:
    """What the file and the options say. Raises ValueError: naming the field at fault."""
    from cluster.sim.settings import read_scenario

    simulation: dict[str, Any] = {}
    workload: dict[str, Any] = {}
    if args.policy:
        simulation["systems"] = [
            {"name": policy, "controller": {"policy": policy}}
            for policy in dict.fromkeys(args.policy)
        ]
    if args.load is not None or args.rate is not None:
        simulation["load"] = args.load
    if args.replicas is not None:
        simulation["replicas"] = args.replicas
    if args.queries is not None:
        workload["queries"] = args.queries
    if args.seed is not None:
        workload["seed"] = args.seed
    if args.questions is not None:
        workload["questions"] = str(args.questions.absolute())
    scenario = read_scenario(args.file, {"simulation": simulation, "workload": workload})
    if args.rate is not None:
        timed = scenario.workload.at_rate(args.rate)
        scenario = scenario.model_copy(update={"workload": timed})
    return scenario


@contextmanager
def _bar(scenario: Scenario, *, quiet: bool) -> Iterator[Progress]:
    """A progress bar on stderr, where somebody looks on."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    numbers = "{task.completed:,} programs, {task.fields[speed]:,.0f}/s, {task.fields[at_s]:,.0f} s"
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn(numbers))
    bar = Bar(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
    bar.disable = quiet or not sys.stderr.isatty()
    with bar:
        task = bar.add_task("", total=scenario.workload.queries, speed=0.0, at_s=0.0)

        def progress(system: str, now: float, done: int) -> None:
            speed = bar.tasks[task].speed or 0.0
            bar.update(task, description=system, completed=done, speed=speed, at_s=now)

        yield progress
