"""Diverse verifier tree search (Beeching et al. 2024, "Scaling test-time compute with open models",
Hugging Face): independent subtrees, each searched greedily."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, StopHint
from dynasor.algorithms.width_search import WidthParams, WidthSearch, kept


class DvtsParams(WidthParams):
    """Parameters of diverse verifier tree search."""

    beam: int = Field(
        4, ge=1, le=256, description="width of a subtree: children of the one step it keeps"
    )


@ALGORITHMS.register
class Dvts(WidthSearch[DvtsParams]):
    """Splits the width into subtrees; each keeps its best step and expands it.

    A subtree is a cohort of its own and waits for no other. Unlike in the original, a path that is
    finished leaves its subtree to the steps that can go on, even if it is the best.
    """

    name = "dvts"
    source = "Beeching et al. 2024, Scaling test-time compute with open models (Hugging Face)"
    Params = DvtsParams

    @property
    def cohort_width(self) -> int:
        return self.params.beam

    @property
    def stop_hint(self) -> StopHint:
        """As of the others, with a knob of whole subtrees."""
        hint = super().stop_hint
        subtrees = -(-hint.knob // self.params.beam)
        return hint._replace(knob=min(self.params.width, subtrees * self.params.beam))

    def spread(self, rewards: Sequence[float], width: int, turn: str) -> list[int]:
        return kept(rewards, width, beam=width)
