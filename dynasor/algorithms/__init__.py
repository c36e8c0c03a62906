"""Reasoning algorithms, one file each, registered by name.

`base` holds the interface; `votes` the ballot that voting algorithms share.
"""

from dynasor.algorithms import sample, self_consistency
from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint

PLAIN = sample.Sample.name
"""What an ordinary completion request runs."""

DEFAULT_ALGORITHM = self_consistency.SelfConsistency.name
"""What a program runs that names no algorithm."""

__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHM",
    "PLAIN",
    "Algorithm",
    "Best",
    "StopHint",
    "sample",
    "self_consistency",
]
