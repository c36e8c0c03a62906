"""Allocator policies, one file each, registered by name. `base` holds the interface."""

from dynasor.policies import beta, even, threshold, value, window
from dynasor.policies.base import POLICIES, Market, Policy, ProgramView, Verdict

__all__ = [
    "POLICIES",
    "Market",
    "Policy",
    "ProgramView",
    "Verdict",
    "beta",
    "even",
    "threshold",
    "value",
    "window",
]
