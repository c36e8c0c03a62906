"""`dynasor bench smoke`: see that every benchmark works, within minutes."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from cluster.bench.reports.options import directory, out_directory

SERVED = ("batch", "online", "overhead", "fidelity")
"""Benchmarks that ask a cluster; they share one."""

SIMULATED = ("scale",)
CONFIG = Path("serve_configs/local.yaml")


def add_parser(benches: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = benches.add_parser(
        "smoke",
        help="every benchmark at its smoke size, on one cluster",
        description="Run every benchmark at a size that shows that it works, and measures nothing. "
        "Starts one cluster for all of them, and stops it again. Each writes its report to a "
        "folder of its own.",
    )
    add = parser.add_argument
    add("--config", type=Path, default=CONFIG, metavar="FILE", help="default: %(default)s")
    add(
        "--out",
        type=directory,
        metavar="DIR",
        help="where the reports' folders go (default: .run/bench/smoke-<time>)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run all of them, say what failed; returns 1 if any did, else 0.

    Raises:
        CliError: the config can't be used, or the cluster did not start.
    """
    from cluster.bench.systems.starting import cluster, interruptible, tell
    from cluster.bench.systems.variant import Variant

    folder, began = out_directory(args, "smoke"), time.monotonic()
    variant = Variant(args.config, reward=False)
    with interruptible():
        failed = [name for name in SIMULATED if not _ran(name, folder)]
        with cluster(variant, folder / "systems" / "dynasor", tell) as url:
            given = ("--config", str(args.config), "--url", url)
            failed += [name for name in SERVED if not _ran(name, folder, *given)]
    took_s = time.monotonic() - began
    if failed:
        print(f"failed, after {took_s:.0f} s: {', '.join(failed)}")
        return 1
    print(f"all {len(SIMULATED + SERVED)} work, after {took_s:.0f} s; their reports: {folder}")
    return 0


def _ran(name: str, folder: Path, *options: str) -> bool:
    """Run one in a process of its own, as somebody would; returns whether it worked."""
    print(f"\n== dynasor bench {name} --smoke", flush=True)
    command = [sys.executable, "-m", "cluster.cli", "bench", name, "--smoke"]
    command += ["--out", str(folder / name), *options]
    return not subprocess.run(command, check=False).returncode
