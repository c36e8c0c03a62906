"""`dynasor bench overhead`: the same plain requests through this system and around it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.bench.options import above_zero, names, numbers, positive
from cluster.bench.reports.options import add_options, out_directory
from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from cluster.bench.overhead.session import Plan

CONFIG = Path("serve_configs/local.yaml")
TOKENS = 64
KNOWN = ("dynasor", "ray-serve-llm", "direct", "handle")


class Size(NamedTuple):
    """How much is measured, where the options don't say."""

    systems: tuple[str, ...]
    concurrency: tuple[int, ...]
    rounds: int
    seconds: float


FULL = Size(KNOWN[:3], (1, 8, 64, 128), 6, 6.0)
SMOKE = Size(("dynasor", "direct"), (1, 8), 1, 1.0)
NOTES = (
    "Every system gets the same conversations and generates the same number of tokens for each.",
    "direct: AsyncLLM in the benchmark's own process, as many engines as the cluster has, requests "
    "in turn; from a conversation to text, as the servers do it.",
    "Throughput is that of whole rounds, their beginning and end included.",
)


def add_parser(benches: Any) -> None:
    """Add the benchmark to the parser's subcommands."""
    parser = benches.add_parser(
        "overhead",
        help="what the path of a plain request costs",
        description="Latency and throughput of the same plain requests (one completion of a fixed "
        "length) through this system over HTTP, through ray.serve.llm over HTTP, and with vLLM's "
        "AsyncLLM called directly, in turns. Starts what does not run already, with the engines of "
        "the config, and stops it again.",
    )
    add = parser.add_argument
    add("--config", type=Path, default=CONFIG, metavar="FILE", help="default: %(default)s")
    add("--tokens", type=positive, default=TOKENS, metavar="N", help="default: %(default)s")
    add(
        "--concurrency",
        type=numbers,
        metavar="N,N,…",
        help=f"clients that ask at once (default: {','.join(map(str, FULL.concurrency))})",
    )
    add("--rounds", type=positive, metavar="N", help=f"of each load (default: {FULL.rounds})")
    add("--seconds", type=above_zero, metavar="S", help=f"of one round (default: {FULL.seconds:g})")
    add(
        "--systems",
        type=names,
        metavar="NAME,…",
        help=f"of {', '.join(KNOWN)}; the last is this system's Python handle "
        f"(default: {','.join(FULL.systems)})",
    )
    add("--url", help=f"of a cluster that runs already, with the config's engines, for {KNOWN[0]}")
    add("--peer-url", metavar="URL", help=f"the same for {KNOWN[1]}: of any OpenAI server")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, print and write the report; returns 1 if a goal was missed, else 0. A smoke run has
    no goals.

    Raises:
        CliError: a system is not known, did not start, or gave no usable answers.
    """
    from cluster.bench.overhead.figures import measures, table
    from cluster.bench.overhead.session import measure
    from cluster.bench.reports.document import Document
    from cluster.bench.reports.environment import environment
    from cluster.bench.reports.report import write_report
    from cluster.bench.systems.starting import tell

    directory = out_directory(args, "overhead")
    plan, began = _plan(args, directory), environment()
    rounds = measure(plan, tell)
    found = measures(rounds, args.seed)
    settings = {
        "config": str(plan.config),
        "tokens": plan.tokens,
        "concurrency": plan.concurrency,
        "rounds": plan.rounds,
        "seconds": plan.seconds,
        "systems": plan.systems,
        "urls": dict(plan.urls),
    }
    document = Document(
        bench="overhead",
        **began,
        seeds=(args.seed,),
        settings=settings,
        measures=found,
        notes=NOTES,
    )
    write_report(document, directory)
    print(f"{table(found)}\n\nReport: {directory}")
    return int(not args.smoke and any(one.met is False for one in found))


def _plan(args: argparse.Namespace, directory: Path) -> Plan:
    """What the options say. Raises CliError for systems that are not known."""
    from cluster.bench.overhead.session import Plan

    usual = SMOKE if args.smoke else FULL
    asked: tuple[str, ...] = args.systems or usual.systems
    unknown = [name for name in asked if name not in KNOWN]
    if unknown:
        raise CliError(f"--systems: {unknown[0]!r} is not known; known are {', '.join(KNOWN)}")
    given = dict(zip(KNOWN, (args.url, args.peer_url), strict=False))
    return Plan(
        config=args.config,
        tokens=args.tokens,
        concurrency=args.concurrency or usual.concurrency,
        rounds=args.rounds or usual.rounds,
        seconds=args.seconds or usual.seconds,
        systems=asked,
        seed=args.seed,
        folder=directory,
        urls={name: url.rstrip("/") for name, url in given.items() if url},
    )
