"""Reasoning algorithms, one file each, registered by name.

`base` holds the interface; `votes` the ballot that voting algorithms share.
"""

from dynasor.algorithms import sample, self_consistency
from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint

__all__ = ["ALGORITHMS", "Algorithm", "Best", "StopHint", "sample", "self_consistency"]
