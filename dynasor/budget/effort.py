"""Effort: OpenAI's ``reasoning_effort`` as caps and an accuracy contract. The one table."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

Effort = Literal["none", "minimal", "low", "medium", "high"]


class EffortLevel(NamedTuple):
    """What an effort stands for.

    Attributes:
        share: of the units that the algorithm can demand (chains, rollouts, paths), how many it
            may begin; at least one.
        max_disagreement: see `dynasor.terms.Terms`; None: nothing is promised.
    """

    share: float
    max_disagreement: float | None

    def cap(self, most: int | None) -> int | None:
        """Units that may begin where ``most`` can be demanded; None: as many as demanded."""
        if most is None or self.share >= 1.0:
            return most
        return max(1, math.ceil(self.share * most))


EFFORTS: dict[Effort, EffortLevel] = {
    "none": EffortLevel(0.0, None),
    "minimal": EffortLevel(0.25, 0.05),
    "low": EffortLevel(0.5, 0.03),
    "medium": EffortLevel(1.0, 0.02),
    "high": EffortLevel(1.0, 0.01),
}
