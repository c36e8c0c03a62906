"""Options that every `dynasor bench` command has."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from cluster.bench.options import natural

BENCH_DIR = Path(".run/bench")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``, ``--seed`` and ``--smoke``."""
    parser.add_argument(
        "--out",
        type=directory,
        metavar="DIR",
        help=f"where report.json and index.html go (default: {BENCH_DIR}/<bench>-<time>)",
    )
    parser.add_argument("--seed", type=natural, default=0, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--smoke",
        action="store_true",
        help="a size that takes under a minute: shows that it works, measures nothing",
    )


def directory(text: str) -> Path:
    """Where a report can go: for argparse. Raises ArgumentTypeError: something else is there."""
    path = Path(text)
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"must be a directory, or nothing yet, got {text!r}")
    return path


def out_directory(args: argparse.Namespace, bench: str) -> Path:
    """Where this run's report goes, as `add_options` read it."""
    if args.out is not None:
        return Path(args.out)
    return BENCH_DIR / f"{bench}-{datetime.now(UTC):%Y%m%d-%H%M%S}"
