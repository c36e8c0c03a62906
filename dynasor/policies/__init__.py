"""Allocator policies, one file each, registered by name. `base` holds the interface."""

from dynasor.policies import even, threshold
from dynasor.policies.base import POLICIES, Policy, ProgramView, Verdict

__all__ = ["POLICIES", "Policy", "ProgramView", "Verdict", "even", "threshold"]
