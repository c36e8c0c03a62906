"""`dynasor bench`: measure the cluster next to what would be used instead of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

BENCHES: tuple[str, ...] = (
    "cluster.bench.batch.command",
    "cluster.bench.fidelity.command",
    "cluster.bench.online.command",
    "cluster.bench.overhead.command",
    "cluster.bench.reports.compare",
    "cluster.bench.scale.command",
    "cluster.bench.smoke.command",
)
"""Modules of the subcommands, one a line, each with ``add_parser(subcommands)`` and
``run(args) -> int``. They are imported for every `dynasor` command's help: what is slow to import
(ray, vllm, numpy, matplotlib) they import when they run."""


def add_parser(commands: Any) -> None:
    """Add the command, with a subcommand for every benchmark, to the parser's subcommands."""
    parser = commands.add_parser(
        "bench",
        help="measure the cluster, and what would be used instead of it",
        description="Benchmarks. Each writes a directory with report.json and index.html.",
    )
    benches = parser.add_subparsers(title="benchmarks", required=True, metavar="BENCH")
    for name in BENCHES:
        import_module(name).add_parser(benches)
