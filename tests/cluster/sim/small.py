"""Small simulated clusters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cluster.sim.profile import CallCost, EngineProfile, StepCost
from cluster.sim.settings import Scenario, Simulation, read_scenario, scenario
from cluster.workload.workload import Workload

STEP = StepCost(
    base_s=0.01, per_sequence_s=1e-4, per_context_token_s=1e-7, per_prefill_token_s=1e-4
)
VOTE = {"name": "vote", "program": {"algorithm": "self_consistency", "max_branches": 8}}
CHECKS = {"exact": "cluster.engine.checks:exact"}


def profile(folder: Path, **changes: Any) -> Path:
    """A profile's file."""
    made = EngineProfile(
        name="small",
        source="published",
        model="none",
        machine="none",
        step=STEP,
        reward=STEP,
        calls=CallCost(command_s=0.001, report_s=0.001, query_s=0.01),
        slots=32,
        kv_tokens=65_536,
        block_size=16,
        max_num_batched_tokens=512,
    ).model_copy(update=changes)
    path = folder / "small.json"
    path.write_text(made.model_dump_json())
    return path


def world(
    folder: Path,
    *,
    queries: int = 60,
    rate: float = 6.0,
    kinds: list[dict[str, Any]] | None = None,
    questions: Any = None,
    deadline: dict[str, Any] | None = None,
    controller: dict[str, Any] | None = None,
    seed: int = 0,
    **simulation: Any,
) -> Scenario:
    """Two engines and a judge under a small workload."""
    path = simulation.pop("profile", None) or str(profile(folder))
    args = {
        "model": {"max_model_len": 4096},
        "engine": {"verifiers": CHECKS},
        "reward": {},
        "controller": controller or {},
    }
    document = {"profile": path, "replicas": 2, "scorers": 1, "args": args, **simulation}
    workload = {
        "questions": questions or {"parametric": {"questions": 40, "tokens": 100}},
        "arrivals": {"process": "poisson", "rate": rate},
        "queries": queries,
        "kinds": kinds or [VOTE],
        "deadline": deadline,
        "seed": seed,
    }
    return scenario(
        Simulation.model_validate(document), Workload.model_validate(workload), folder / "x.yaml"
    )


__all__ = ["VOTE", "profile", "read_scenario", "world"]
