"""`beta`: Adaptive-Consistency's rule (Aggarwal et al. 2023, arXiv 2305.11860).

Samples until the chance that the leading answer is the more probable of the two leading ones
reaches the confidence; after each sample, or each few.
"""

from __future__ import annotations

from pydantic import Field

from dynasor.certaindex import beta_certaindex
from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict
from dynasor.registry import Params


class BetaParams(Params):
    """Parameters of `beta`."""

    confidence: float = Field(0.95, ge=0.5, lt=1.0, description="chance of being right to stop at")
    wave: int = Field(
        1, ge=1, le=256, description="units between two looks; more are faster and cost more"
    )


@POLICIES.register
class Beta(Policy):
    """First as many units as could settle it if they all agreed, then wave after wave."""

    name = "beta"
    Params = BetaParams

    def verdict(self, program: ProgramView) -> Verdict:
        first = self._least()
        if not program.stop_hint.thresholds:
            return Verdict(None)
        certaindex = program.certaindex()
        if program.started < first:
            return Verdict(first)
        if certaindex.measured < program.started:
            return Verdict(program.started)
        counts = sorted((vote.count for vote in certaindex.votes), reverse=True)
        top, second = (*counts, 0, 0)[:2]
        if beta_certaindex(top, second) >= self.params.confidence:
            return Verdict(program.started, stop="certain")
        return Verdict(program.started + self.params.wave)

    def _least(self) -> int:
        """Unanimous votes from which it can stop: the chance is 1 - 2^-(n+1)."""
        votes = 1
        while beta_certaindex(votes, 0) < self.params.confidence:
            votes += 1
        return votes
