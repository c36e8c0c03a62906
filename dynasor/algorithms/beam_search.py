"""Beam search over steps under a reward model (Snell et al. 2024, arXiv 2408.03314)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS
from dynasor.algorithms.width_search import WidthParams, WidthSearch, ranked


class BeamSearchParams(WidthParams):
    """Parameters of beam search."""

    beam: int = Field(
        4, ge=1, le=256, description="children of a step that is kept; one step of so many is kept"
    )


@ALGORITHMS.register
class BeamSearch(WidthSearch[BeamSearchParams]):
    """Keeps the best steps and expands each of them alike; finished paths leave the width."""

    name = "beam_search"
    source = "Snell et al. 2024, arXiv 2408.03314, section 5.2"
    Params = BeamSearchParams

    def spread(self, rewards: Sequence[float], width: int, turn: str) -> list[int]:
        return kept(rewards, width, self.params.beam)


def kept(rewards: Sequence[float], width: int, beam: int) -> list[int]:
    """The best ``ceil(width / beam)`` steps share the width evenly, the best ones first.

    Where fewer steps than that are left, they get more children than ``beam``, so that the width
    stays used.

    Returns:
        Numbers of children in the order of the rewards; they sum to ``width`` exactly.
    """
    best = ranked(rewards)[: -(-width // beam)]
    each, more = divmod(width, len(best))
    counts = [0] * len(rewards)
    for place, position in enumerate(best):
        counts[position] = each + (place < more)
    return counts
