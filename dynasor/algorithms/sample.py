"""Plain sampling: n independent completions, all of them wanted; nothing to vote on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Event, Finished, Generate, Started

MAX_N = 256


class SampleParams(Params):
    """Parameters of plain sampling."""

    n: int = Field(1, ge=1, le=MAX_N, description="completions to return")


@ALGORITHMS.register
class Sample(Algorithm):
    """What an ordinary completion request is: no answer is read, so certaindex stays 0.

    The knob is beyond every n: certaindex never means anything, so no policy waits for it.
    """

    name = "sample"
    Params = SampleParams
    stop_hint = StopHint(knob=MAX_N, threshold=1.0)
    reads_answers = False

    def __init__(self, params: SampleParams) -> None:
        super().__init__(params)
        self.started = 0
        self.first_ended: int | None = None

    def demand(self) -> Iterator[Generate]:
        return (Generate(branch) for branch in range(self.started, self.params.n))

    def observe(self, event: Event) -> None:
        match event:
            case Started(branch):
                self.started = branch + 1
            case Finished(branch=branch, finish="stop" | "length") if self.first_ended is None:
                self.first_ended = branch

    def certaindex(self) -> Certaindex:
        return Certaindex(0.0)

    def answer(self) -> Best:
        return Best(None, self.first_ended)

    def restore(self, state: dict[str, Any]) -> None:
        self.started = state["started"]
        self.first_ended = state["first_ended"]
