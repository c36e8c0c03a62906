"""Self-consistency (Wang et al. 2022, arXiv 2203.11171): N independent chains, majority vote."""

from __future__ import annotations

from collections.abc import Iterator

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


class SelfConsistencyState(msgspec.Struct):
    """Chains that were started, those that have ended, and those of them that vote."""

    started: int = 0
    ended: int = 0
    ballot: Ballot = msgspec.field(default_factory=Ballot)


@ALGORITHMS.register
class SelfConsistency(Algorithm[SelfConsistencyParams, SelfConsistencyState]):
    """Samples chains from the same prompt; the knob is the number of chains."""

    name = "self_consistency"
    source = "Wang et al. 2022, arXiv 2203.11171"
    Params = SelfConsistencyParams
    State = SelfConsistencyState

    @property
    def stop_hint(self) -> StopHint:
        return StopHint(knob=5, thresholds={"entropy": 0.7}, wave=5)

    def demand(self) -> Iterator[Generate]:
        return (Generate(branch) for branch in range(self.state.started, self.params.max_branches))

    def observe(self, event: Event) -> None:
        match event:
            case Started(branch):
                self.state.started = branch + 1
            case Finished():
                self.state.ended += 1
                self.state.ballot.add(event)

    def certaindex(self) -> Certaindex:
        return self.state.ballot.certaindex(measured=self.state.ended)

    def answer(self) -> Best:
        return self.state.ballot.best()
