"""Self-consistency (Wang et al. 2022, arXiv 2203.11171): N independent chains, majority vote."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.votes import Ballot, Weigh
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Event, Finished, Generate, Measure, Started


class SelfConsistencyParams(Params):
    """Parameters of self-consistency."""

    max_branches: int = Field(16, ge=1, le=256, description="most chains to sample")
    weights: Literal["count", "confidence"] = Field(
        "count", description="what a vote weighs: 1, or the softmax of the chain's confidence"
    )
    weight_temperature: float = Field(
        0.1, ge=1e-3, le=1e3, description="of that softmax: the higher, the more alike the weights"
    )


class SelfConsistencyState(msgspec.Struct):
    """Chains that were started, those that have ended, and those of them that vote."""

    started: int = 0
    ended: int = 0
    ballot: Ballot = msgspec.field(default_factory=Ballot)


@ALGORITHMS.register
class SelfConsistency(Algorithm[SelfConsistencyParams, SelfConsistencyState]):
    """Samples chains from the same prompt; the knob is the number of chains.

    With weights by confidence it is CISC (Taubenfeld et al. 2025, arXiv 2502.06233), its response
    probability as the confidence. Certaindex always counts the votes.
    """

    name = "self_consistency"
    source = "Wang et al. 2022, arXiv 2203.11171"
    Params = SelfConsistencyParams
    State = SelfConsistencyState
    size = "max_branches"

    @property
    def stop_hint(self) -> StopHint:
        most = self.params.max_branches
        alike = self.params.weights == "count"
        return StopHint(5, {"entropy": 0.7}, wave=5, most=most, exchangeable=alike)

    def demand(self) -> Iterator[Generate]:
        measure = Measure(probability=True) if self.params.weights == "confidence" else None
        waiting = range(self.state.started, self.params.max_branches)
        return (Generate(branch, measure=measure) for branch in waiting)

    def observe(self, event: Event) -> None:
        match event:
            case Started(branch):
                self.state.started = branch + 1
            case Finished():
                self.state.ended += 1
                self.state.ballot.add(event)

    def certaindex(self) -> Certaindex:
        return self.state.ballot.certaindex(self.state.ended, self._weigh())

    def answer(self) -> Best:
        return self.state.ballot.best(self._weigh())

    def _weigh(self) -> Weigh | None:
        if self.params.weights == "count":
            return None
        return self.state.ballot.softmax(_probability, self.params.weight_temperature)


def _probability(chain: Finished) -> float:
    """Probability of the chain per token, in [0, 1]; 0 where it was not measured."""
    if chain.measured is None or chain.measured.log_probability is None:
        return 0.0
    return math.exp(chain.measured.log_probability)
