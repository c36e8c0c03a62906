"""What a simulation assumes where a recording says nothing."""

from __future__ import annotations

import math
from random import Random

from pydantic import BaseModel, ConfigDict, Field

from dynasor.replay.recording import Chain, Probe, Sample


class Assumed(BaseModel):
    """Parameters of everything that is made up. No figure of a real model."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    prompt_tokens: int = Field(128, ge=1, description="of a question that does not tell its own")
    signal: float = Field(
        1.0,
        ge=0,
        description="standard deviations between the scores, and the confidences, of what is right "
        "and what is wrong",
    )
    step_tokens: int = Field(32, ge=1, description="of a step, where no tree was recorded")
    thought_tokens: int = Field(64, ge=1, description="of a thought, where none were recorded")
    probe_tokens: int = Field(8, ge=1, description="of a trial answer")
    answer_tokens: int = Field(12, ge=1, description="of the answer after the thinking")
    settled: float = Field(
        0.5, gt=0, lt=1, description="mean share of a chain after which its trial answers stay"
    )
    wait_share: float = Field(
        0.3, gt=0, le=1, description="tokens of a chain that is made to go on, over those it had"
    )
    injected_tokens: int = Field(10, ge=1, description="of a phrase that is injected")

    def score(self, rng: Random, good: bool) -> float:
        """A score, or a confidence, in (0, 1)."""
        middle = self.signal / 2
        return 1 / (1 + math.exp(-rng.gauss(middle if good else -middle, 1.0)))

    def chain(self, rng: Random, sample: Sample, others: tuple[Sample, ...]) -> Chain:
        """A sample as a long chain: its trial answers are those of other samples, until it has
        found its own."""
        found = sample.tokens * rng.betavariate(4 * self.settled, 4 * (1 - self.settled))
        probes = []
        for at in range(self.thought_tokens, sample.tokens, self.thought_tokens):
            said = sample if at >= found else rng.choice(others)
            score = self.score(rng, at >= found)
            probes.append(Probe(at, said.answer, self.probe_tokens, score))
        return Chain(sample.tokens, sample.answer, sample.correct, tuple(probes))
