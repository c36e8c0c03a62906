"""Made-up queries and runs of systems."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.bench.reports.document import Run
from cluster.workload.served import Served


def served(
    number: int,
    system: str = "even",
    latency_s: float = 1.0,
    *,
    right: bool = True,
    answered: bool = True,
    tokens: int = 100,
    question: str | None = None,
) -> Served:
    """A query whose deadline is 8 s, and which takes 1 s alone."""
    return Served(
        number=number,
        system=system,
        kind="vote",
        question=question or f"q{number}",
        outcome="answered" if answered else "given_up",
        at_s=float(number),
        latency_s=latency_s,
        deadline_s=8.0,
        alone_s=1.0,
        correct=right and answered,
        tokens=tokens,
    )


def run(
    system: str, rate: float, latencies: Sequence[float], *, right: float = 1.0, tokens: int = 100
) -> Run:
    """Queries with these latencies; of them the first share ``right`` are answered right."""
    queries = tuple(
        served(n, system, latency, right=n < right * len(latencies), tokens=tokens)
        for n, latency in enumerate(latencies)
    )
    return Run(system=system, load={"rate": rate, "repeat": 0.0}, served=queries, wall_s=10.0)
