"""DEER (Yang et al. 2025, arXiv 2504.15895): early exit where a trial answer is confident.

Wherever a thought ends, the chain is asked for its answer, beside its further growth. Once the
model is confident of it, more thinking would not change the answer.
"""

from __future__ import annotations

import math

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, StopHint
from dynasor.algorithms.probing import ProbedChain, ProbingParams
from dynasor.work import Finished, Grew, Measure


class DeerParams(ProbingParams):
    """Parameters of DEER."""

    confidence: float = Field(
        0.95, gt=0.0, le=1.0, description="confidence of a trial answer from which it stands"
    )
    max_trials: int = Field(10, ge=1, le=1024, description="most trial answers")


@ALGORITHMS.register
class Deer(ProbedChain[DeerParams]):
    """Confidence of a trial answer is the geometric mean of its tokens' probabilities.

    Trial answers are greedy, so that each token is the most probable one, as in the paper.
    """

    name = "deer"
    source = "DEER, Yang et al. 2025, arXiv 2504.15895"
    Params = DeerParams
    signal = "confidence"

    @property
    def probe_measure(self) -> Measure:
        return Measure(probability=True)

    @property
    def chain_measure(self) -> Measure:
        return Measure(thoughts=True)

    @property
    def stop_hint(self) -> StopHint:
        return StopHint(
            knob=1,
            thresholds={self.signal: self.params.confidence},
            wave=1,
            most=self.params.max_trials,
        )

    @property
    def probe_temperature(self) -> float:
        return 0.0

    def newest_due(self, event: Grew) -> int:
        state = self.state
        trials = state.branches - len(state.chain.pieces)
        if event.measured is None or trials == self.params.max_trials:
            return state.due
        return max([state.due, *(thought.end for thought in event.measured.thoughts)])

    def counts(self, probe: Finished) -> bool:
        return probe.measured is not None and probe.measured.log_probability is not None

    def sureness(self, answered: list[Finished]) -> float:
        measured = answered[-1].measured
        assert measured is not None and measured.log_probability is not None, "see counts"
        return math.exp(min(0.0, measured.log_probability))
