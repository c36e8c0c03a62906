"""Self-consistency (Wang et al. 2022, arXiv 2203.11171): N independent chains, majority vote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.votes import Ballot
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Event, Finished, Generate, Started


class SelfConsistencyParams(Params):
    """Parameters of self-consistency."""

    max_branches: int = Field(16, ge=1, le=256, description="most chains to sample")


@ALGORITHMS.register
class SelfConsistency(Algorithm):
    """Samples chains from the same prompt; the knob is the number of chains."""

    name = "self_consistency"
    Params = SelfConsistencyParams
    stop_hint = StopHint(knob=5, threshold=0.7)

    def __init__(self, params: SelfConsistencyParams) -> None:
        super().__init__(params)
        self.started = 0
        self.ballot = Ballot()

    def demand(self) -> Iterator[Generate]:
        return (Generate(branch) for branch in range(self.started, self.params.max_branches))

    def observe(self, event: Event) -> None:
        match event:
            case Started(branch):
                self.started = branch + 1
            case Finished():
                self.ballot.add(event)

    def certaindex(self) -> Certaindex:
        return self.ballot.certaindex()

    def answer(self) -> Best:
        return self.ballot.best()

    def restore(self, state: dict[str, Any]) -> None:
        self.started = state["started"]
        self.ballot = msgspec.convert(state["ballot"], Ballot)
