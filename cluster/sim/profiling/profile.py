"""From measurements to an engine profile."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.settings import Settings
from cluster.sim.profile import EngineProfile
from cluster.sim.profiling.calls import ASSUMED, Latencies, call_cost
from cluster.sim.profiling.filling import Besides, Filled, besides, slowdown
from cluster.sim.profiling.fit import errors, fit_crowding, fit_step
from cluster.sim.profiling.measure import Steps

DISTURBED = (
    "NOT measured on a quiet machine: other programs disturbed {share:.0%} of the measurements, "
    "and took {cores:.2f} cores on average."
)
QUIET = (
    "Other programs took {cores:.2f} cores on average; {share:.0%} of the measurements were "
    "disturbed and done again."
)
CALLS_MEASURED = (
    "Calls were measured through a running, idle cluster; the way from an engine to the core and "
    "back was split in halves."
)
CALLS_ASSUMED = "Calls are assumed, not measured: as of Ray Serve on one machine."
CROWDING = (
    "Crowding is that of the whole cluster at full load, less what its controller, its ingress, "
    "Ray and the client took of the same processors: its engines generated {many:,.0f} tokens/s "
    "together under policy even with 16 chains in a query, {one:,.0f} with one. Of the engines "
    "alone, without a cluster around them, it is {bare:.2f}."
)
MOST_DISTURBED = 0.5
"""Share of the measurements above which the profile says so first."""


@dataclass(frozen=True, slots=True)
class Measured:
    """All that was measured for one profile.

    Attributes:
        engines: that were measured side by side.
        reward: None: there is no engine that judges.
        latencies: of requests to a running cluster; None: there was none to ask.
        filled: what it generated when its engines were full, by many and by one chain in a query;
            None: likewise.
    """

    settings: Settings
    engines: int
    steps: Steps
    reward: Steps | None
    latencies: Latencies | None
    filled: tuple[Filled, Filled] | None


def build_profile(name: str, measured: Measured, environment: Any) -> EngineProfile:
    """The profile, with the errors of its fits.

    Args:
        environment: as `cluster.bench.reports.environment.environment` gives it.
    """
    steps, settings = measured.steps, measured.settings
    alone = [one for one in steps.samples if not one.others]
    beside = [one for one in steps.samples if one.others]
    step = fit_step(alone)
    crowding = bare = fit_crowding(step, beside)
    cores, taken = 0.0, Besides(0.0, 0.0)
    if measured.filled is not None and measured.engines > 1:
        many = measured.filled[0]
        crowding = slowdown(step, steps.info, many) / (measured.engines - 1)
        cores, taken = many.cores, besides(*measured.filled)
    found = {f"alone {key}": value for key, value in errors(step, 0.0, alone).items()}
    if beside:
        found |= {f"beside {key}": value for key, value in errors(step, bare, beside).items()}
    calls = ASSUMED
    if measured.latencies is not None:
        calls = call_cost(step, steps.info.block_size, measured.latencies)
        calls = calls.model_copy(update=taken._asdict())
    reward = None
    if measured.reward is not None:
        reward = fit_step(measured.reward.samples)
        judged = errors(reward, 0.0, measured.reward.samples)
        found |= {f"reward {key}": value for key, value in judged.items()}
    return EngineProfile(
        name=name,
        source="measured",
        notes=_notes(measured, bare),
        model=settings.model.id,
        machine=_machine(environment["machine"]),
        versions=environment["versions"],
        command=environment["command"],
        step=step,
        reward=reward,
        calls=calls,
        crowding=crowding,
        replicas_per_host=measured.engines,
        cores_per_host=cores,
        slots=steps.info.slots,
        kv_tokens=steps.info.kv_tokens,
        block_size=steps.info.block_size,
        max_num_batched_tokens=settings.engine.max_num_batched_tokens,
        errors=found,
    )


def write_profile(profile: EngineProfile, path: Path) -> None:
    """As `cluster.sim.profile.read_profile` reads it. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(profile.model_dump_json(indent=2, exclude_none=True) + "\n")


def _notes(measured: Measured, bare: float) -> str:
    steps = measured.steps
    said = QUIET if steps.disturbed <= MOST_DISTURBED else DISTURBED
    notes = [
        said.format(share=steps.disturbed, cores=steps.cores),
        "Steps were measured through a replica's own runner, which hands tokens over as in the "
        "cluster; errors are relative, of whole windows of steps.",
        CALLS_ASSUMED if measured.latencies is None else CALLS_MEASURED,
    ]
    if measured.filled is not None:
        many, one = (filled.per_s for filled in measured.filled)
        notes.append(CROWDING.format(bare=bare, many=many, one=one))
    if measured.engines == 1:
        notes.append("One engine was measured, so nothing is known of crowding.")
    return " ".join(notes)


def _machine(found: dict[str, Any]) -> str:
    gpus = found.get("gpus")
    host = f"{found['cpu']}, {found['cores']} cores, {found['memory GiB']} GiB"
    return f"{len(gpus)} x {gpus[0]}; {host}" if gpus else host
