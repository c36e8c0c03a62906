"""`window`: early-stopping self-consistency (Li et al. 2024, arXiv 2401.10480).

Samples windows of w chains; stops when all of one window say the same. Everything votes.
"""

from __future__ import annotations

from pydantic import Field

from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict
from dynasor.registry import Params


class WindowParams(Params):
    """Parameters of `window`."""

    window: int = Field(5, ge=2, le=256, description="chains that must agree")


@POLICIES.register
class Window(Policy):
    """Grants window after window until one is unanimous."""

    name = "window"
    Params = WindowParams

    def verdict(self, program: ProgramView) -> Verdict:
        window = self.params.window
        if not program.stop_hint.thresholds:
            return Verdict(None)
        certaindex = program.certaindex()
        if not program.started or certaindex.measured < program.started:
            return Verdict(max(window, program.started))
        if certaindex.streak >= window:
            return Verdict(program.started, stop="certain")
        return Verdict(program.started + window)
