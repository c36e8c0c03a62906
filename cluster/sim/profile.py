"""What an engine's steps and a cluster's calls cost: a small file, measured or published."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.workload.refused import refused

PROFILES = Path(__file__).with_name("profiles")
"""Those that ship; a profile is named by its file here, or given as a path."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StepCost(_Model):
    """Time of one step of an engine, in seconds: linear in what the step computes.

    ``base_s + per_sequence_s * decoding + per_context_token_s * (KV tokens that they read)
    + per_prefill_token_s * (prompt tokens computed) + per_attention_s * (sum over prefills of
    tokens computed times tokens of context before them, their own half included)
    + per_start_s * (sequences whose prompts begin to be computed)``.
    """

    base_s: float = Field(ge=0, description="of any step")
    per_sequence_s: float = Field(ge=0, description="per sequence that generates a token")
    per_context_token_s: float = Field(ge=0, description="per token of their contexts")
    per_prefill_token_s: float = Field(ge=0, description="per prompt token that is computed")
    per_attention_s: float = Field(
        0.0, ge=0, description="per pair of a prompt token and one it attends to"
    )
    per_start_s: float = Field(
        0.0, ge=0, description="per sequence that begins: to take it in, and to let it go again"
    )

    def step_s(
        self,
        decoding: int,
        context_tokens: int,
        prefill_tokens: int = 0,
        attended: float = 0.0,
        started: int = 0,
    ) -> float:
        """Time of one step.

        Args:
            decoding: sequences that generate a token.
            context_tokens: of all their contexts together.
            prefill_tokens: prompt tokens that are computed.
            attended: pairs of one of these and a token that it attends to.
            started: sequences of which the first such token is computed.
        """
        return (
            self.base_s
            + self.per_sequence_s * decoding
            + self.per_context_token_s * context_tokens
            + self.per_prefill_token_s * prefill_tokens
            + self.per_attention_s * attended
            + self.per_start_s * started
        )

    def steps_s(self, steps: int, decoding: int, context_tokens: int) -> float:
        """Time of so many steps in a row in which the same sequences generate a token each.

        Args:
            context_tokens: of all their contexts together, before the first of these steps.
        """
        grown = decoding * (steps * (steps - 1) // 2)
        return steps * (self.base_s + self.per_sequence_s * decoding) + self.per_context_token_s * (
            steps * context_tokens + grown
        )


class CallCost(_Model):
    """What lies between a caller and the engines, in seconds."""

    command_s: float = Field(ge=0, description="from a command of the core to its effect")
    report_s: float = Field(ge=0, description="from news at an engine to the core")
    query_s: float = Field(
        ge=0, description="of a query: HTTP, tokenizing and the response, there and back"
    )
    query_cpu_s: float = Field(
        0.0, ge=0, description="processor time of a query, beside what its engines take"
    )
    branch_cpu_s: float = Field(0.0, ge=0, description="the same of each of its branches")


class EngineProfile(_Model):
    """An engine's costs, and where they come from.

    Attributes:
        source: "measured": fitted to a real engine by `dynasor profile-engine`; "published": from
            figures that others published, as ``notes`` says; never to be taken for a measurement.
        reward: of an engine that judges; None: not known.
        crowding: how much longer a step takes for each other busy replica of the same host; 0:
            replicas share nothing.
        replicas_per_host: that share a host.
        cores_per_host: processors for them and for what serves them, see `CallCost`; 0: the latter
            has processors of its own.
        slots, kv_tokens, block_size, max_num_batched_tokens: of the engine that was profiled; a
            simulation takes them where its settings leave them open.
        errors: of the fit, over the measured steps: relative, mean and 90th percentile.
    """

    name: str
    source: Literal["measured", "published"]
    notes: str = ""
    model: str
    machine: str
    versions: dict[str, str] = {}
    command: str = ""
    step: StepCost
    reward: StepCost | None = None
    calls: CallCost
    crowding: float = Field(0.0, ge=0)
    replicas_per_host: int = Field(1, ge=1)
    cores_per_host: float = Field(0.0, ge=0)
    slots: int = Field(ge=1)
    kv_tokens: int = Field(ge=1)
    block_size: int = Field(ge=1)
    max_num_batched_tokens: int = Field(ge=1)
    errors: dict[str, float] = {}


def read_profile(name: str) -> EngineProfile:
    """A profile by name, or from a file.

    Raises:
        ValueError: there is no such profile, naming those that ship; or the file can't be read or
            holds no profile, naming the file and the field.
    """
    path = Path(name) if name.endswith(".json") else PROFILES / f"{name}.json"
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        if name.endswith(".json"):
            reason = error.strerror if isinstance(error, OSError) else "no text"
            raise ValueError(f"{path}: {reason}") from None
        known = ", ".join(sorted(file.stem for file in PROFILES.glob("*.json")))
        raise ValueError(f"there is no engine profile {name!r}; known: {known}") from None
    try:
        return EngineProfile.model_validate_json(text)
    except ValidationError as error:
        raise ValueError(f"{path}: {refused(error, EngineProfile, '')}") from None
