"""`even`: no adaptation; every program gets all it demands. The baseline: fixed N."""

from __future__ import annotations

from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict
from dynasor.registry import Params


class EvenParams(Params):
    """`even` has no parameters."""


@POLICIES.register
class Even(Policy):
    """Grants everything, stops nothing."""

    name = "even"
    Params = EvenParams

    def verdict(self, program: ProgramView) -> Verdict:
        return Verdict(allowance=None)
