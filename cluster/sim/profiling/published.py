"""Engine profiles from figures that others published: `python -m cluster.sim.profiling.published`
writes those that ship.

A throughput at saturation says what a token costs: of a request with p prompt tokens and o to
generate, in a batch of B, the time per token is base / B, plus the cost per sequence, plus that per
context token times the mean context p + o / 2, plus those of the prompt shared out over its o
tokens. The base is what reading the weights takes; the rest is fitted to the rows of a table.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cluster.sim.profile import PROFILES, EngineProfile, StepCost
from cluster.sim.profiling.calls import ASSUMED
from cluster.sim.profiling.fit import Matrix, non_negative_least_squares
from cluster.sim.profiling.profile import write_profile

BANDWIDTH_USED = 0.77
"""Share of the memory bandwidth at which weights are read in a step of one sequence: Llama 3.1 8B
in bf16 under vLLM 0.23 on an A100 (J. Musgrave, "vLLM throughput-latency sweep on NVIDIA A100")."""

MEMORY_USED = 0.9
"""Of a device's memory, by weights and KV cache: vLLM's default."""

BLOCK = 16
BATCHED_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Saturated:
    """A row of a table: tokens generated per second, by all devices, with many requests waiting.

    Attributes:
        batch: sequences at once, where it was published, or where the engine's own limit counts
            (2048 for TensorRT-LLM); None: as many as the KV cache holds, up to ``slots``.
    """

    prompt: int
    tokens: int
    per_s: float
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class FirstToken:
    """Another row: time to the first token of one prompt in an idle engine."""

    prompt: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """What was published of one engine.

    Attributes:
        devices: that it runs on, each with ``memory_bytes`` read at ``bytes_per_s``.
        weights_bytes, kv_bytes: of the model, and of one token in the KV cache.
        slots: sequences at once, at most.
        engine, version: that was measured.
        source: where the rows come from.
    """

    name: str
    model: str
    machine: str
    devices: int
    memory_bytes: float
    bytes_per_s: float
    weights_bytes: float
    kv_bytes: int
    slots: int
    engine: str
    version: str
    source: str
    rows: tuple[Saturated | FirstToken, ...]

    @property
    def base_s(self) -> float:
        """Of a step: reading all weights once."""
        return self.weights_bytes / (self.devices * self.bytes_per_s * BANDWIDTH_USED)

    @property
    def kv_tokens(self) -> int:
        """What the KV cache holds, in whole blocks."""
        room = MEMORY_USED * self.devices * self.memory_bytes - self.weights_bytes
        return int(room / self.kv_bytes) // BLOCK * BLOCK


def profile_of(figures: Figures) -> EngineProfile:
    """A profile that explains the figures, marked as published."""
    costs, off = _fitted(figures)
    step = StepCost(
        base_s=figures.base_s,
        per_sequence_s=costs[0],
        per_context_token_s=costs[1],
        per_prefill_token_s=costs[2],
        per_attention_s=costs[3],
    )
    return EngineProfile(
        name=figures.name,
        source="published",
        notes=_notes(figures),
        model=figures.model,
        machine=figures.machine,
        versions={figures.engine: figures.version},
        command="python -m cluster.sim.profiling.published",
        step=step,
        calls=ASSUMED,
        slots=figures.slots,
        kv_tokens=figures.kv_tokens,
        block_size=BLOCK,
        max_num_batched_tokens=BATCHED_TOKENS,
        errors={
            "published rows mean": round(float(np.mean(np.abs(off))), 4),
            "published rows worst": round(float(np.max(np.abs(off))), 4),
        },
    )


def _fitted(figures: Figures) -> tuple[list[float], Matrix]:
    """Costs per sequence, context token, prompt token and attended pair; and by how much each row's
    time is missed, relatively."""
    rows, bases = zip(*(_row(figures, row) for row in figures.rows), strict=True)
    left = 1 - np.array(bases)
    costs = non_negative_least_squares(np.array(rows), left)
    return [float(cost) for cost in costs], np.array(rows) @ costs - left


def _row(figures: Figures, row: Saturated | FirstToken) -> tuple[list[float], float]:
    """What a row's time consists of, as shares of it: counts per cost, and the base's part."""
    prompt = float(row.prompt)
    pairs = prompt * prompt / 2
    if isinstance(row, FirstToken):
        return _shares([0.0, 0.0, prompt, pairs], row.seconds), figures.base_s / row.seconds
    context = prompt + row.tokens / 2
    batch = row.batch or min(figures.slots, figures.kv_tokens / context)
    seconds = 1 / row.per_s
    counts = [1.0, context, prompt / row.tokens, pairs / row.tokens]
    return _shares(counts, seconds), figures.base_s / batch / seconds


def _shares(counts: Sequence[float], seconds: float) -> list[float]:
    return [count / seconds for count in counts]


def _notes(figures: Figures) -> str:
    memory = figures.memory_bytes / 1e9
    return (
        f"NOT MEASURED by this project: derived from published figures of {figures.engine} "
        f"{figures.version}, {figures.source}. base_s: {figures.weights_bytes / 1e9:.1f} GB of "
        f"weights read by {figures.devices} device(s) at {figures.bytes_per_s / 1e12:.2f} TB/s "
        f"each (data sheet), {BANDWIDTH_USED:.0%} of which is reached (as published for Llama 3.1 "
        f"8B under vLLM 0.23 on an A100). The other step costs: least squares over the "
        f"{len(figures.rows)} rows of that table. kv_tokens: what {MEMORY_USED:.0%} of "
        f"{figures.devices} x {memory:.0f} GB holds beside the weights, at {figures.kv_bytes} "
        "bytes a token. Slots, block_size and max_num_batched_tokens are assumed, as vLLM has "
        "them. calls: assumed, as of Ray Serve on one machine. vLLM's own costs on a host differ: "
        "profile the engine at hand with `dynasor profile-engine`."
    )


H100 = {"memory_bytes": 80e9, "bytes_per_s": 3.35e12}
A100 = {"memory_bytes": 80e9, "bytes_per_s": 2.039e12}
OVERVIEW = "docs/source/performance/perf-overview.md of its repository, total output tokens/s"

H100_8B = Figures(
    name="published_h100_llama31_8b_fp8",
    model="nvidia/Llama-3.1-8B-Instruct-FP8",
    machine="1 x NVIDIA H100 SXM 80GB",
    devices=1,
    **H100,
    weights_bytes=9.1e9,
    kv_bytes=65_536,
    slots=1024,
    engine="TensorRT-LLM",
    version="1.0",
    source=OVERVIEW,
    rows=(
        Saturated(128, 128, 28_312, batch=2048),
        Saturated(128, 2048, 22_714),
        Saturated(128, 4096, 14_325),
        Saturated(500, 2000, 17_660),
        Saturated(1000, 1000, 15_220),
        Saturated(1000, 2000, 13_899),
        Saturated(2048, 128, 3_450),
        Saturated(2048, 2048, 9_305),
        Saturated(5000, 500, 3_459),
        Saturated(20_000, 2000, 1_351),
    ),
)

H100X2_70B = Figures(
    name="published_h100x2_llama33_70b_fp8",
    model="nvidia/Llama-3.3-70B-Instruct-FP8",
    machine="2 x NVIDIA H100 SXM 80GB, tensor parallel",
    devices=2,
    **H100,
    weights_bytes=70.6e9,
    kv_bytes=163_840,
    slots=512,
    engine="TensorRT-LLM",
    version="1.0",
    source=OVERVIEW,
    rows=(
        Saturated(128, 128, 6_378, batch=2048),
        Saturated(128, 2048, 6_651),
        Saturated(128, 4096, 4_199),
        Saturated(500, 2000, 5_222),
        Saturated(1000, 1000, 4_205),
        Saturated(1000, 2000, 4_146),
        Saturated(2048, 128, 762),
        Saturated(2048, 2048, 3_082),
        Saturated(5000, 500, 898),
        Saturated(20_000, 2000, 437),
    ),
)

A100_7B = Figures(
    name="published_a100_llama2_7b_fp16",
    model="meta-llama/Llama-2-7b-hf",
    machine="1 x NVIDIA A100 80GB",
    devices=1,
    **A100,
    weights_bytes=13.5e9,
    kv_bytes=524_288,
    slots=256,
    engine="TensorRT-LLM",
    version="0.6.1",
    source="docs/source/performance.md of its repository: throughput and first token latency",
    rows=(
        Saturated(128, 128, 5_586, batch=384),
        Saturated(128, 2048, 1_928, batch=60),
        Saturated(2048, 128, 591, batch=52),
        FirstToken(128, 0.016),
        FirstToken(2048, 0.133),
    ),
)

PUBLISHED = (H100_8B, H100X2_70B, A100_7B)


def main() -> int:
    """Write the profiles that ship; returns 0."""
    for figures in PUBLISHED:
        profile = profile_of(figures)
        write_profile(profile, PROFILES / f"{profile.name}.json")
        print(f"{profile.name}: {profile.errors}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
