"""Particle filtering (Puri et al. 2025, arXiv 2502.01618): steps are resampled by their rewards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS
from dynasor.algorithms.width_search import WidthParams, WidthSearch

CERTAIN = 1e-4
"""Rewards closer to 0 or 1 than this count as this close: their logits would be infinite."""


class ParticleFilteringParams(WidthParams):
    """Parameters of particle filtering."""

    temperature: float = Field(
        1.0, ge=0.001, le=100.0, description="of the softmax of the rewards' logits"
    )
    seed: int = Field(0, ge=0, lt=2**63, description="of the resampling")


@ALGORITHMS.register
class ParticleFiltering(WidthSearch[ParticleFilteringParams]):
    """Every path is a particle; after each step those that go on are drawn anew by their weights.

    Unlike in the paper, a finished particle keeps its place: it is not drawn again, nor lost.
    """

    name = "particle_filtering"
    source = "Puri et al. 2025, arXiv 2502.01618"
    Params = ParticleFilteringParams

    def spread(self, rewards: Sequence[float], width: int, turn: str) -> list[int]:
        point = Random(f"{self.params.seed}:{turn}").random()
        return resampled(weights(rewards, self.params.temperature), width, point)


def weights(rewards: Sequence[float], temperature: float) -> list[float]:
    """Softmax of ``logit(R) / T``; they sum to 1."""
    clipped = [min(1.0 - CERTAIN, max(CERTAIN, reward)) for reward in rewards]
    logits = [math.log(reward / (1.0 - reward)) / temperature for reward in clipped]
    highest = max(logits)
    exponentials = [math.exp(logit - highest) for logit in logits]
    total = math.fsum(exponentials)
    return [exponential / total for exponential in exponentials]


def resampled(weights: Sequence[float], width: int, point: float) -> list[int]:
    """Systematic resampling: how many of the points ``(point + k) / width``, k from 0 up, fall into
    each weight's part of [0, 1).

    Args:
        weights: sum to 1.
        point: uniform in [0, 1); then the expected count is ``width`` times the weight, and the
            count itself the whole number below or above.

    Returns:
        Counts in the order of the weights; they sum to ``width`` exactly.
    """
    counts: list[int] = []
    reached, taken = 0.0, 0
    for weight in weights[:-1]:
        reached += weight
        below = min(width, max(taken, math.ceil(width * reached - point)))
        counts.append(below - taken)
        taken = below
    return [*counts, width - taken]
