"""Allocator policies, one file each, registered by name. `base` holds the interface."""

from dynasor.policies import beta, even, threshold, window
from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict

__all__ = [
    "POLICIES",
    "Policy",
    "ProgramView",
    "Verdict",
    "beta",
    "even",
    "threshold",
    "window",
]
