"""REBASE (Wu et al. 2024, arXiv 2408.00724): reward-balanced search."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS
from dynasor.algorithms.width_search import WidthParams, WidthSearch, ranked

ROUNDING = 1e-9
"""What floating point may add to a whole number."""


class RebaseParams(WidthParams):
    """Parameters of REBASE."""

    temperature: float = Field(
        0.2, ge=0.001, le=100.0, description="of the softmax of rewards; high: all get the same"
    )


@ALGORITHMS.register
class Rebase(WidthSearch[RebaseParams]):
    """Every step gets children in proportion to the softmax of its reward."""

    name = "rebase"
    source = "Wu et al. 2024, arXiv 2408.00724"
    Params = RebaseParams

    def spread(self, rewards: Sequence[float], width: int, turn: str) -> list[int]:
        return balanced(rewards, width, self.params.temperature)


def balanced(rewards: Sequence[float], width: int, temperature: float) -> list[int]:
    """REBASE's rule: from the highest reward down, ``B_i = ceil(W e^(R_i/T) / S)``, S the sum of
    the exponentials of this step and those below it, W what those above have left.

    Returns:
        Numbers of children in the order of the rewards; they sum to ``width`` exactly, and a higher
        reward never gets fewer.
    """
    order = ranked(rewards)
    # S relative to the step's own exponential, from the last one up, so that nothing overflows.
    sums = [1.0] * len(order)
    for place in range(len(order) - 2, -1, -1):
        gap = rewards[order[place + 1]] - rewards[order[place]]
        sums[place] += sums[place + 1] * math.exp(gap / temperature)
    counts = [0] * len(order)
    left = width
    for position, total in zip(order, sums, strict=True):
        counts[position] = math.ceil(left / total - ROUNDING)
        left -= counts[position]
    return counts
