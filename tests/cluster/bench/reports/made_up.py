"""Made-up documents."""

from __future__ import annotations

import random
from typing import Any

from cluster.bench.reports.document import Document, Measure, Run
from cluster.bench.reports.measures import measures
from cluster.workload.served import Served


def served(number: int = 0, **changes: Any) -> Served:
    """A query that was answered right within its deadline."""
    plain: dict[str, Any] = {
        "system": "value",
        "kind": "vote",
        "question": "q",
        "outcome": "answered",
        "at_s": 0.0,
        "latency_s": 2.0,
        "deadline_s": 3.0,
        "alone_s": 1.0,
        "correct": True,
        "tokens": 100,
    }
    return Served(**{**plain, "number": number, **changes})


def run(system: str, rate: float, repeat: int, rng: random.Random, queries: int = 60) -> Run:
    """One with some of everything: refused and lost queries, a timeline, programs."""
    speed = {"value": 1.0, "even": 1.8}.get(system, 3.0)
    found = []
    for number in range(queries):
        latency_s = rng.lognormvariate(0.3, 0.7) * speed * (1 + rate * speed / 3)
        outcome = "answered" if latency_s < 20 else rng.choice(["refused", "given_up"])
        found.append(
            served(
                number,
                system=system,
                outcome=outcome,
                at_s=number / rate,
                latency_s=min(latency_s, 20),
                deadline_s=4.0 + number % 5,
                correct=outcome == "answered" and rng.random() < 0.9,
                tokens=int(600 * speed * rng.uniform(0.5, 1.5)),
            )
        )
    return Run(
        system=system,
        load={"rate": rate, "repeat": repeat},
        served=tuple(found),
        wall_s=queries / rate,
        client_cpu=0.1,
        timeline=tuple(timeline(rng, queries / rate)),
    )


def timeline(rng: random.Random, seconds: float) -> list[dict[str, float]]:
    """Price, running and waiting, and the branches of twelve programs."""
    samples: list[dict[str, float]] = []
    for tick in range(50):
        at_s = tick * seconds / 50
        running = rng.randint(4, 16)
        samples.append({"at_s": at_s, "price": rng.random(), "running": running, "waiting": tick})
        for program in range(tick // 8, tick // 8 + 5):
            branches = rng.randint(1, 6)
            samples.append({"at_s": at_s, "program": program, "running": branches})
    return samples


def document(systems: tuple[str, ...] = ("value", "even", "peer"), seed: int = 0) -> Document:
    """A whole one: rates and repeats of every system."""
    rng = random.Random(seed)
    runs = tuple(
        run(system, rate, repeat, rng)
        for rate in (0.5, 1.0, 2.0)
        for repeat in (0, 1)
        for system in systems
    )
    speedup = Measure(name="gain", value=2.5, low=2.1, high=2.9, better="higher", goal=3.3)
    return Document(
        bench="online",
        command="dynasor bench online --seed 0",
        started="2026-01-02T03:04:05+00:00",
        machine={"cpu": "A processor", "cores": 2},
        versions={"dynasor": "0.1.0", "vllm": "1.0"},
        seeds=(seed,),
        settings={"rates": [0.5, 1.0, 2.0]},
        measures=(speedup, *measures("online", runs, seed)),
        runs=runs,
        notes=("Made up.",),
    )
