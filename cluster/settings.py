"""Every knob of the application: what `args:` of a Serve config may say.

An unknown or out-of-range field is refused at start, with the field's name and what is allowed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from dynasor.phrases import Phrases
from dynasor.settings import CoreSettings
from dynasor.work import REWARD


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelSettings(_Model):
    """Which model is served."""

    id: str = Field(
        "abacus", description="'abacus' (bundled), a folder, or a model id that vLLM can load"
    )
    name: str = Field("abacus", min_length=1, description="name clients use in 'model'")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int = Field(
        2048, ge=64, le=10_000_000, description="most tokens of one sequence, prompt included"
    )
    reasoning_end: str | None = Field(
        "</think>",
        min_length=1,
        description="what ends the thinking in a chain; text before it is returned as reasoning; "
        "None: everything is content",
    )
    trust_remote_code: bool = False
    phrases: Phrases = Field(
        Phrases(), description="between which it reasons; what is not given keeps its default"
    )


class SandboxSettings(_Model):
    """The processes in which a replica runs verifiers and answers that are code."""

    run_code: bool = Field(
        False,
        description="run answers that are code, to tell what they do: whoever may ask can then run "
        "Python here, within the limits, as the user of the replica",
    )
    workers: int = Field(1, ge=1, le=64, description="calls at once")
    time_limit_s: float = Field(10.0, gt=0, le=600, description="time of one call")
    memory_limit_bytes: int = Field(
        1 << 30, ge=64 << 20, le=1 << 40, description="address space of one call"
    )


class EngineSettings(_Model):
    """One engine replica: vLLM's engine arguments under vLLM's names, and what it is given."""

    max_num_seqs: int = Field(64, ge=1, le=65_536, description="sequences run at once")
    max_num_batched_tokens: int = Field(
        512, ge=32, le=1_048_576, description="tokens of one step; smaller: stops act sooner"
    )
    block_size: int = Field(32, ge=1, le=256, description="tokens of one KV block")
    kv_cache_memory_bytes: int | None = Field(
        None, ge=1 << 20, description="size of the KV cache; None: gpu_memory_utilization decides"
    )
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    tensor_parallel_size: int = Field(1, ge=1, le=1024)
    pipeline_parallel_size: int = Field(1, ge=1, le=1024)
    enforce_eager: bool = False
    device: Literal["cpu", "gpu"] = Field("gpu", description="what one rank of the model runs on")
    num_cpus: float = Field(1.0, ge=0, le=1024, description="CPUs Ray reserves for a replica")
    env: dict[str, str] = Field(
        default_factory=dict, description="environment variables of the engine's process"
    )
    report_tokens_s: float = Field(
        0.05,
        ge=0.001,
        le=10,
        description="how long mere token counts wait for a report; a branch's end never waits",
    )
    stall_timeout_s: float = Field(
        120,
        ge=1,
        le=3600,
        description="an engine that has work and gives no token for this long "
        "is replaced; above the time that its first step may take to compile",
    )
    answer_timeout_s: float = Field(
        2.0, gt=0, le=60, description="time to normalize one answer that needs a maths parser"
    )

    verifiers: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,62}$")], str] = Field(
        default_factory=dict,
        description="judges of chains that are Python callables, by name: "
        "'package.module:function', called with question, response and reference, returning a "
        "score in [0, 1]",
    )
    sandbox: SandboxSettings = SandboxSettings()

    @property
    def ranks(self) -> int:
        """Devices of one replica."""
        return self.tensor_parallel_size * self.pipeline_parallel_size

    @model_validator(mode="after")
    def _cpu_needs_kv_size(self) -> EngineSettings:
        if self.device == "cpu" and self.kv_cache_memory_bytes is None:
            raise ValueError("device 'cpu' needs kv_cache_memory_bytes, got None")
        if self.device == "cpu" and self.ranks > 1:
            raise ValueError("device 'cpu' allows tensor and pipeline parallel size 1 only")
        return self


class RewardSettings(EngineSettings):
    """One replica that judges chains, and its model, which has the tokenizer of the served one."""

    id: str = Field("abacus-prm", description="'abacus-prm' (bundled), a folder, or a model id")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    max_model_len: int = Field(2048, ge=64, le=10_000_000)
    trust_remote_code: bool = False


class ControllerSettings(CoreSettings):
    """The core's knobs, and those of the process around it."""

    poll_hold_s: float = Field(
        1.0,
        gt=0,
        le=60,
        description="how long a replica's poll is held when there is nothing to "
        "do; also how often an idle replica shows that it lives",
    )
    event_log: Path | None = Field(
        None, description="folder in which every controller process logs its inputs and decisions"
    )
    value_model: str | None = Field(
        None,
        min_length=1,
        description="value models to start with: 'abacus' (bundled) or a file; None: a prior",
    )
    value_model_save: Path | None = Field(
        None,
        description="file in which value models are kept as they learn; a controller that finds "
        "it goes on from it, and not from value_model",
    )
    value_model_save_s: float = Field(
        60, ge=1, le=86_400, description="time between two saves; also saved at the end"
    )

    @model_validator(mode="after")
    def _lives_longer_than_a_poll(self) -> ControllerSettings:
        if self.replica_timeout_s < 2 * self.poll_hold_s:
            raise ValueError(
                f"replica_timeout_s must be at least twice poll_hold_s ({self.poll_hold_s}), "
                f"got {self.replica_timeout_s}"
            )
        return self


class IngressSettings(_Model):
    """The HTTP door."""

    max_body_bytes: int = Field(
        4 << 20, ge=1024, le=1 << 30, description="larger request bodies are refused"
    )
    stream_period_s: float = Field(
        0.02,
        ge=0,
        le=1,
        description="least time between two events of a stream; text that comes "
        "faster is joined, for every event costs the proxy about a millisecond",
    )


class Settings(_Model):
    """The application: ``args`` of a Serve config."""

    model: ModelSettings = ModelSettings()
    engine: EngineSettings = EngineSettings()
    reward: RewardSettings | None = Field(None, description="None: there is no reward model")
    controller: ControllerSettings = ControllerSettings()
    ingress: IngressSettings = IngressSettings()

    @property
    def scorers(self) -> tuple[str, ...]:
        """Who can judge chains here."""
        return ((REWARD,) if self.reward is not None else ()) + tuple(self.engine.verifiers)

    @model_validator(mode="after")
    def _reward_is_taken(self) -> Settings:
        if REWARD in self.engine.verifiers:
            raise ValueError(f"engine.verifiers: {REWARD!r} is the reward model's name")
        return self
