"""Reasoning algorithms, one file each, registered by name.

`base` holds the interface; `votes` the ballot that voting algorithms share.
"""

from dynasor.algorithms import (
    a_star,
    beam_search,
    best_of_n,
    budget_forcing,
    chain_of_thought,
    deepconf,
    deer,
    dvts,
    mcts,
    particle_filtering,
    rebase,
    sample,
    self_consistency,
    slim_sc,
)
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
    "a_star",
    "beam_search",
    "best_of_n",
    "budget_forcing",
    "chain_of_thought",
    "deepconf",
    "deer",
    "dvts",
    "mcts",
    "particle_filtering",
    "rebase",
    "sample",
    "self_consistency",
    "slim_sc",
]
