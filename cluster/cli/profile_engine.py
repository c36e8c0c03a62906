"""`dynasor profile-engine`: measure what an engine's steps cost, for the simulator."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from cluster.settings import Settings
    from cluster.sim.profile import EngineProfile
    from cluster.sim.profiling.profile import Measured
    from cluster.sim.profiling.progress import Say


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "profile-engine",
        help="measure an engine for the simulator",
        description="Start engines as a Serve config describes them, without a cluster, measure "
        "decode steps and prefills of many sizes, and fit the simulator's cost model to them. The "
        "machine should be quiet: measurements that other programs disturb are done again. Stop a "
        "cluster that runs here first, unless it is needed for --url and idle.",
    )
    add = parser.add_argument
    add("config", type=Path, metavar="CONFIG.yaml", help="a Serve config, see serve_configs/")
    add(
        "--engines",
        type=int,
        default=2,
        metavar="N",
        help="engines that share a machine: one is measured, beside none and beside all others at "
        "work (default: %(default)s)",
    )
    add(
        "--out",
        type=Path,
        default=Path("profile.json"),
        metavar="FILE.json",
        help="the profile, which `simulation.profile` can name (default: %(default)s)",
    )
    add(
        "--scorer",
        action=argparse.BooleanOptionalAction,
        help="measure the reward model's engine as well (default: if the config has one)",
    )
    add(
        "--url",
        metavar="URL",
        help="a running, idle cluster of this config, all of it on this machine if --engines is "
        "above 1: to measure what its calls cost, and how much it slows its engines down; without "
        "one, the profile takes calls from figures measured elsewhere, and says so",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, fit and write the profile; returns 0.

    Raises:
        CliError: the config or an option can't be used, an engine or the cluster failed, or the
            file can't be written.
    """
    from cluster.bench.client import RequestFailed
    from cluster.bench.reports.environment import environment
    from cluster.sim.profiling.process import EngineFailed
    from cluster.sim.profiling.profile import build_profile, write_profile

    settings = _settings(args.config)
    scorer = settings.reward is not None if args.scorer is None else args.scorer
    if args.engines < 1:
        raise CliError(f"--engines must be at least 1, got {args.engines}")
    if args.out.suffix != ".json":
        raise CliError(f"--out must end in .json, got {args.out}")
    if scorer and settings.reward is None:
        raise CliError(f"--scorer: {args.config} has no reward model")
    found = environment()
    try:
        measured = _measured(settings, args.engines, scorer, args.url)
    except (EngineFailed, RequestFailed) as error:
        raise CliError(str(error)) from None
    profile = build_profile(args.out.stem, measured, found)
    try:
        write_profile(profile, args.out)
    except OSError as error:
        raise CliError(f"{args.out}: {error.strerror}") from None
    _show(profile, args.out)
    return 0


def _measured(settings: Settings, engines: int, scorer: bool, url: str | None) -> Measured:
    """Raises EngineFailed and RequestFailed."""
    from cluster.sim.profiling.calls import measure_calls
    from cluster.sim.profiling.filling import CHAINS, measure_filled
    from cluster.sim.profiling.measure import measure_scorer, measure_steps
    from cluster.sim.profiling.profile import Measured

    latencies = filled = reward = None
    if url is not None:
        with _progress(f"asking {url}") as say:
            latencies = asyncio.run(measure_calls(url, say))
            slots = settings.engine.max_num_seqs
            many, one = (asyncio.run(measure_filled(url, slots, n, say)) for n in CHAINS)
            filled = many, one
    with _progress(f"starting {engines} engine{'s' * (engines > 1)}") as say:
        steps = measure_steps(settings, engines, say)
    if scorer:
        with _progress("starting the reward model's engine") as say:
            reward = measure_scorer(settings, say)
    return Measured(settings, engines, steps, reward, latencies, filled)


def _settings(path: Path) -> Settings:
    import yaml
    from pydantic import ValidationError

    from cluster.cli.config import read_config
    from cluster.settings import Settings
    from dynasor.errors import first_invalid

    read_config(path)
    document = yaml.safe_load(path.read_text())["applications"][0].get("args") or {}
    try:
        return Settings.model_validate(document)
    except ValidationError as error:
        raise CliError(f"{path}: {first_invalid(error, 'args')}") from None


@contextmanager
def _progress(title: str) -> Iterator[Say]:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(title, total=None)

        def say(text: str, done: int, total: int) -> None:
            progress.update(task, description=text, completed=done, total=total)

        if not console.is_terminal:
            console.print(f"{title} …")
        yield say


def _show(profile: EngineProfile, path: Path) -> None:
    print(f"{path}: {profile.model} on {profile.machine}\n{profile.notes}\n")
    parts = [("step", profile.step), ("reward", profile.reward), ("calls", profile.calls)]
    for name, costs in parts:
        if costs is not None:
            for field, seconds in costs.model_dump().items():
                print(f"{name}.{field:<21} {1e6 * seconds:>12.4g} µs")
    print(f"{'crowding':<26} {profile.crowding:>12.3f}")
    for name, value in profile.errors.items():
        print(f"{'error, ' + name:<26} {value:>+12.1%}")
