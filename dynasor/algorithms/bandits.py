"""Which child of a node to go through next: the arithmetic of tree search, on plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence


def uct(mean: float, visits: int, parent_visits: int, exploration: float) -> float:
    """``Q + c·sqrt(ln N_parent / N)`` (Kocsis & Szepesvári 2006).

    Args:
        mean: Q, mean value of the visits, in [0, 1].
        visits: N, at least 1.
        parent_visits: N of the parent, at least 1.
        exploration: c; sqrt(2) is UCB1's.
    """
    return mean + exploration * math.sqrt(math.log(parent_visits) / visits)


def puct(mean: float, visits: int, parent_visits: int, exploration: float, prior: float) -> float:
    """``Q + c·P·sqrt(N_parent) / (1 + N)`` (AlphaZero). P is the prior; the rest as in `uct`."""
    return mean + exploration * prior * math.sqrt(parent_visits) / (1 + visits)


def priors(rewards: Sequence[float], temperature: float | None) -> list[float]:
    """``softmax(R / T)`` over siblings; T None: all the same."""
    if temperature is None:
        return [1 / len(rewards) for _ in rewards]
    # Without the greatest exponent, a small temperature would overflow.
    greatest = max(rewards, default=0.0)
    powers = [math.exp((reward - greatest) / temperature) for reward in rewards]
    return [power / sum(powers) for power in powers]


def halving_visits(arms: int, budget: int) -> list[int]:
    """The order in which sequential halving visits arms (Karnin et al. 2013).

    The budget is divided evenly among ``ceil(log2 arms)`` rounds; each round divides its share
    evenly among the arms that are left and drops the worse half of them. The last two go on until
    the budget is spent.

    Returns:
        For each visit in turn, how many visits its arm must have had: it goes to the best one of
        those. So arms that were dropped, which stay behind, are never visited again.
    """
    if arms < 2:
        return list(range(budget)) if arms else []
    rounds = math.ceil(math.log2(arms))
    visits, left, turns = 0, arms, list[int]()
    while len(turns) < budget:
        each = max(1, budget // (rounds * left))
        turns += [visits + turn for turn in range(each) for _ in range(left)]
        visits, left = visits + each, max(2, left // 2)
    return turns[:budget]
