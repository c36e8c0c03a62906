"""`threshold`: the paper's rule, certaindex@knob (arXiv 2412.20993, section 4).

A first wave as wide as the knob; then, each time a wave has ended, the certaindex is compared with
the thresholds: settled programs end, the others get another wave, up to what they demand. Where an
algorithm has no waves, it gets all it demands, and each unit that ends after the knob's is a look.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import Field

from dynasor.algorithms.base import StopHint
from dynasor.certaindex import Certaindex
from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict
from dynasor.registry import Params

Level = Annotated[float, Field(ge=0.0, le=1.0)]


class ThresholdParams(Params):
    """Parameters of `threshold`; None takes the algorithm's own value."""

    threshold: Level | None = Field(None, description="certaindex to stop at: its least signal")
    thresholds: dict[str, Level] | None = Field(
        None, description="to stop at, by signal; used where `threshold` is None"
    )
    knob: int | None = Field(None, ge=1, le=256, description="width of the first wave")
    wave: int | None = Field(None, ge=1, le=256, description="width of later waves")


@POLICIES.register
class Threshold(Policy):
    """Grants wave after wave until certaindex reaches the thresholds."""

    name = "threshold"
    Params = ThresholdParams

    @property
    def signals(self) -> Mapping[str, Collection[str]]:
        return {"thresholds": self.params.thresholds or ()}

    def verdict(self, program: ProgramView) -> Verdict:
        params, hint = self.params, program.stop_hint
        knob = hint.knob if params.knob is None else params.knob
        wave = params.wave or hint.wave
        if not hint.thresholds:
            return Verdict(None)
        certaindex = program.certaindex()
        waiting = certaindex.measured < program.started
        if program.started < knob or certaindex.measured < knob:
            return Verdict(max(knob, program.started))
        if waiting and wave is not None:
            return Verdict(program.started)
        if self._settled(certaindex, hint):
            return Verdict(program.started, stop="certain")
        return Verdict(None if wave is None else program.started + wave)

    def _settled(self, certaindex: Certaindex, hint: StopHint) -> bool:
        if self.params.threshold is not None:
            return certaindex.value >= float(self.params.threshold)
        wanted = self.params.thresholds or hint.thresholds
        return all(certaindex.signals.get(name, 0.0) >= wanted[name] for name in wanted)
