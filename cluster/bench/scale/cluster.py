"""The simulated clusters: alike but for their size."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from cluster.sim.capacity import with_load
from cluster.sim.settings import Scenario, Simulation, scenario
from cluster.workload.workload import Workload
from dynasor.algorithms import DEFAULT_ALGORITHM
from dynasor.errors import first_invalid

SLOTS = 32
"""Of a replica: few, so that a cluster is full of few programs."""

QUESTIONS = {
    "questions": 2000, "samples": 32, "chains": 0, "steps": 0, "tokens": 512
}  # fmt: skip
PROGRAM = {"algorithm": DEFAULT_ALGORITHM, "max_branches": 16}
CONTROLLER = {"lease_tokens": 2048, "max_programs": 1_000_000, "reports_per_s": 200}
PERIOD_S, SAMPLES = 0.5, 2000
"""Of the timeline."""

REPORT_TOKENS_S = 2.0
"""How long token counts wait for a report: the controller's cost grows with sequences, and with
how often they are told of."""


def cluster(
    profile: str, policy: str, replicas: int, load: float, queries: int, seed: int
) -> Scenario:
    """A cluster of a size under a load, a multiple of what policy "even" sustains.

    Raises:
        ValueError: the profile or policy is not known; names the field.
    """

    args = {
        "model": {"max_model_len": 16_384},
        "engine": {"report_tokens_s": REPORT_TOKENS_S},
        "controller": {**CONTROLLER, "policy": policy},
    }
    try:
        simulation = Simulation.model_validate(
            {
                "profile": profile,
                "replicas": replicas,
                "slots": SLOTS,
                "load": load,
                "args": args,
                "timeline": {"programs": 0, "period_s": PERIOD_S, "samples": SAMPLES},
            }
        )
        workload = Workload.model_validate(
            {
                "questions": {"parametric": QUESTIONS},
                "arrivals": {"process": "poisson", "rate": 1.0},
                "queries": queries,
                "kinds": [{"name": "vote", "program": PROGRAM}],
                "seed": seed,
            }
        )
    except ValidationError as error:
        raise first_invalid(error) from None
    return with_load(scenario(simulation, workload, Path("scale")))
