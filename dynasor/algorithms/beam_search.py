"""Beam search over steps under a reward model (Snell et al. 2024, arXiv 2408.03314)."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS
from dynasor.algorithms.width_search import WidthParams, WidthSearch, kept


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
