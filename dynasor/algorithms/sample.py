"""Plain sampling: n independent completions, all of them wanted; nothing to vote on."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Event, Finished, Generate, Started


class SampleParams(Params):
    """Parameters of plain sampling."""

    n: int = Field(1, ge=1, le=256, description="completions to return")


class SampleState(msgspec.Struct):
    """Completions that were started, those that have ended, and the first that did by itself."""

    started: int = 0
    ended: int = 0
    first_ended: int | None = None


@ALGORITHMS.register
class Sample(Algorithm[SampleParams, SampleState]):
    """What an ordinary completion request is: no answer is read, so certaindex stays 0."""

    name = "sample"
    source = "an ordinary completion request"
    Params = SampleParams
    State = SampleState

    @property
    def stop_hint(self) -> StopHint:
        return StopHint(knob=1, thresholds={}, wave=None)

    @property
    def completions(self) -> int:
        return self.params.n

    def demand(self) -> Iterator[Generate]:
        waiting = range(self.state.started, self.params.n)
        return (Generate(branch, read=False, show=True) for branch in waiting)

    def observe(self, event: Event) -> None:
        match event:
            case Started(branch):
                self.state.started = branch + 1
            case Finished(branch=branch, finish=finish):
                self.state.ended += 1
                if finish in ("stop", "length") and self.state.first_ended is None:
                    self.state.first_ended = branch

    def certaindex(self) -> Certaindex:
        return Certaindex(measured=self.state.ended)

    def answer(self) -> Best:
        return Best(None, self.state.first_ended)
