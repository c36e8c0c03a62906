"""`threshold`: the paper's rule, certaindex@knob (arXiv 2412.20993, section 4).

A first wave as wide as the knob; then, each time the wave has ended, certaindex is compared with
the threshold: settled programs end, the others get another wave, up to what they demand.
"""

from __future__ import annotations

from pydantic import Field

from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict
from dynasor.registry import Params


class ThresholdParams(Params):
    """Parameters of `threshold`; None takes the algorithm's own value from the paper."""

    threshold: float | None = Field(None, ge=0.0, le=1.0, description="certaindex to stop at")
    knob: int | None = Field(None, ge=1, le=256, description="width of the first wave")
    wave: int | None = Field(None, ge=1, le=256, description="width of later waves; None: the knob")


@POLICIES.register
class Threshold(Policy):
    """Grants wave after wave until certaindex reaches the threshold."""

    name = "threshold"
    Params = ThresholdParams

    def verdict(self, program: ProgramView) -> Verdict:
        params, hint = self.params, program.stop_hint
        knob = hint.knob if params.knob is None else params.knob
        threshold = hint.threshold if params.threshold is None else params.threshold
        if program.started < knob:
            return Verdict(knob)
        if program.active:
            return Verdict(program.started)
        if program.certaindex().value >= threshold:
            return Verdict(program.started, settled=True)
        return Verdict(program.started + (params.wave or knob))
