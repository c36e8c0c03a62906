"""One run of the comparison: the real cluster first, then the simulated one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cluster.bench.fidelity.figures import SIMULATED, measures, orders, pairs, tables
from cluster.bench.reports.document import Document, Run
from cluster.bench.reports.environment import environment
from cluster.bench.reports.options import out_directory
from cluster.bench.reports.report import write_report
from cluster.bench.systems.catalog import System
from cluster.bench.systems.options import Plan, plan
from cluster.bench.systems.point import sent_in_turn, sent_when_due, warnings
from cluster.bench.systems.starting import tell
from cluster.cli.errors import CliError
from cluster.sim.profile import EngineProfile, read_profile
from cluster.sim.profiling.quiet import TOLERATED, Disturbance
from cluster.sim.settings import Simulation, scenario
from cluster.sim.settings import System as Simulated
from cluster.sim.simulation import simulate
from cluster.workload.workload import Workload

LIMIT_S = 120.0
"""A query that takes longer is given up; in the simulation none is."""

WARM_UP_S = 3.0
Load = dict[str, float]


def compare(args: argparse.Namespace) -> int:
    """See `cluster.bench.fidelity.command.run`."""
    found = environment()
    directory = out_directory(args, "fidelity")
    chosen = plan(args, directory)
    other = [system.name for system in chosen.systems if system.place != "dynasor"]
    if other:
        raise CliError(f"--systems: {other[0]!r} can't be simulated: name policies")
    try:
        profile = read_profile(args.profile)
    except ValueError as error:
        raise CliError(f"--profile: {error}") from None
    real = _measured(args, chosen)
    runs = [*real.runs, *_simulated(args, chosen, real.capacity)]
    together, ranks = pairs(runs, args.seed), orders(runs, args.seed)
    listed = measures(together, ranks)
    document = Document(
        bench="fidelity",
        seeds=(args.seed,),
        settings={
            "profile": profile.model_dump(mode="json"),
            "capacity": real.capacity,
            "workload": chosen.workload.model_dump(mode="json", exclude_unset=True),
        },
        measures=listed,
        runs=tuple(runs),
        notes=_notes(profile, real),
        **found,
    )
    write_report(document, directory)
    print("\n\n".join([tables(together, ranks), *document.notes, str(directory / "index.html")]))
    return int(not args.smoke and any(one.met is False for one in listed))


@dataclass(frozen=True, slots=True)
class Real:
    """What was measured.

    Attributes:
        capacity: queries per second.
        cores: that other programs took meanwhile, at most in one run; None: it can't be told apart
            from what a cluster takes that was not started here.
    """

    runs: list[Run]
    capacity: float
    cores: float | None


def _measured(args: argparse.Namespace, chosen: Plan) -> Real:
    """The real runs, policies in turns."""
    runs, cores = [], []
    with chosen.stage as stage:
        url = stage.url("dynasor")
        capacity = args.capacity or _capacity(args, chosen, url)
        for load, workload in _loads(args, chosen.workload, capacity):
            for system in chosen.systems:
                disturbance = Disturbance()
                requests = workload.requests()
                run = sent_when_due(system, url, workload, requests, load, LIMIT_S)
                runs.append(run)
                cores.append(disturbance.cores)
                tell(f"{_named(run)}: {len(run.served)} queries, {run.wall_s:.0f} s")
    return Real(runs, capacity, None if args.url else max(cores))


def _capacity(args: argparse.Namespace, chosen: Plan, url: str) -> float:
    """Queries per second that clients without pause get answered, once engines are full."""
    even = System("even", "dynasor", policy="even")
    workload = chosen.workload.model_copy(update={"seed": args.seed + 1_000_003})
    run = sent_in_turn(
        even, url, workload, workload.requests(), {}, args.clients, WARM_UP_S + args.capacity_s
    )
    ends = [one.at_s + one.latency_s for one in run.served if one.answered]
    inside = [end for end in ends if WARM_UP_S <= end <= WARM_UP_S + args.capacity_s]
    if not inside:
        raise CliError(f"no query was answered within {args.capacity_s:g} s at full load")
    capacity: float = len(inside) / args.capacity_s
    tell(f"capacity under even: {capacity:.2f} queries/s")
    return capacity


def _simulated(args: argparse.Namespace, chosen: Plan, capacity: float) -> Iterator[Run]:
    simulation = Simulation.model_validate(
        {
            "profile": args.profile,
            "application": str(args.config.absolute()),
            "systems": [
                {"name": system.name, "controller": {"policy": system.policy}}
                for system in chosen.systems
            ],
            "keep": 1_000_000,
        }
    )
    for load, workload in _loads(args, chosen.workload, capacity):
        for system in chosen.systems:
            assert system.policy is not None, "all systems are policies"
            there = Simulated(name=system.name, controller={"policy": system.policy})
            found = simulate(scenario(simulation, workload, Path("fidelity")), there)
            yield Run(
                system=system.name + SIMULATED,
                load=load,
                served=found.served,
                wall_s=found.virtual_s,
                timeline=found.timeline,
            )


def _loads(
    args: argparse.Namespace, workload: Workload, capacity: float
) -> Iterator[tuple[Load, Workload]]:
    for repeat in range(args.repeats):
        for load in args.loads:
            update = {"seconds": args.seconds, "seed": args.seed + repeat}
            asked = workload.model_copy(update=update).at_rate(load * capacity)
            yield {"load": load, "repeat": repeat}, asked


def _notes(profile: EngineProfile, real: Real) -> tuple[str, ...]:
    found = [
        f"Real and simulated side by side: the same queries at the same times. The profile is "
        f"{profile.name} ({profile.source}, {profile.machine}). What a branch says and how long "
        "it is was recorded from the same model on the same questions, not generated again: "
        "lengths and answers of single queries differ, by chance.",
        "The real client runs on the cluster's machine.",
    ]
    if real.cores is not None and real.cores > TOLERATED:
        found.append(
            f"NOT measured on a quiet machine: other programs took up to {real.cores:.1f} cores in "
            "a run, which made the real cluster slower than it is."
        )
    return (*found, *(warning for run in real.runs for warning in warnings(run)))


def _named(run: Run) -> str:
    return ", ".join([run.system, *(f"{name} {value:g}" for name, value in run.load.items())])
