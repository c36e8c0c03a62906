"""What answers a program's chains may give: a mixture of Pitman-Yor processes over their votes.

A component says with what chance two chains agree and how heavy the tail of rare answers is; its
probability of a partition of the votes is exact (Pitman 1995, the exchangeable partition
probability function):

    p(c_1 … c_k) = Π_{i<k} (θ + i·d) / Π_{i<n} (θ + i) · Π_j Π_{i<c_j} (i - d)

Weights of the components are learned by expectation maximization with a Dirichlet prior around
the weights of what the programs are like. Where nothing was learned all components are as likely:
any chance of agreement is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Votes = tuple[int, ...]
"""Sizes of answer classes, largest first."""

AGREEMENTS = np.linspace(0.025, 0.975, 20)
"""Chances that two chains agree: evenly over (0, 1)."""

DISCOUNTS = (0.0, 0.25, 0.5)
"""Weights of the tail: from a Dirichlet process to a heavy one."""

DISCOUNT = np.repeat(DISCOUNTS, len(AGREEMENTS))
STRENGTH = (1 - DISCOUNT) / np.tile(AGREEMENTS, len(DISCOUNTS)) - 1
"""The components' d and θ: two chains agree with chance ``(1 - d) / (1 + θ)``."""

PRIOR_PROGRAMS = 5.0
"""How many programs what is already believed of the weights counts for."""

PRIOR_CHAINS = 10.0
"""The same for the share of chains without an answer, in chains."""

ABSTAINING = 0.05
"""Share of chains without an answer where nothing is known."""

ROUNDS = 50


class Mixture(NamedTuple):
    """Weights of the components, shape (components,), and the share of chains that abstain."""

    weights: Floats
    abstaining: float


PRIOR = Mixture(np.full(len(STRENGTH), 1 / len(STRENGTH)), ABSTAINING)


@lru_cache(maxsize=8192)
def log_likelihood(votes: Votes) -> Floats:
    """Log-probability of a partition under each component, shape (components,)."""
    new, all_of, joined = _tables(1 << (sum(votes) + 1).bit_length())
    likelihood: Floats = new[:, len(votes)] - all_of[:, sum(votes)]
    for size in votes:
        likelihood = likelihood + joined[:, size]
    return likelihood


def responsibilities(likelihoods: Floats, weights: Floats) -> Floats:
    """Chance of each component, given partitions: shape (partitions, components)."""
    joint = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True)) * weights
    shares: Floats = joint / joint.sum(axis=1, keepdims=True)
    return shares


def fitted(partitions: Mapping[Votes, int], abstained: int, prior: Mixture) -> Mixture:
    """The mixture that programs with these partitions, each seen so often, come from.

    Args:
        abstained: chains without an answer, of all programs together.
        prior: what is believed without them.
    """
    if not partitions:
        return prior
    counts = np.array(list(partitions.values()), float)
    likelihoods = np.array([log_likelihood(votes) for votes in partitions])
    relative = np.exp(likelihoods - likelihoods.max(axis=1, keepdims=True))
    weights = prior.weights
    for _ in range(ROUNDS):
        # The sum of `responsibilities` over the programs.
        expected = weights * ((counts / (relative @ weights)) @ relative)
        weights = (expected + PRIOR_PROGRAMS * prior.weights) / (counts.sum() + PRIOR_PROGRAMS)
    chains = sum(sum(votes) * count for votes, count in partitions.items()) + abstained
    without = abstained + PRIOR_CHAINS * prior.abstaining
    return Mixture(weights, without / (chains + PRIOR_CHAINS))


@lru_cache(maxsize=8)
def _tables(size: int) -> tuple[Floats, Floats, Floats]:
    """Logarithms of the three products, by component and number of factors + 1."""
    steps = np.arange(size)
    strength, discount = STRENGTH[:, None], DISCOUNT[:, None]
    products = (strength + steps * discount, strength + steps, steps - discount)
    return tuple(_running(product) for product in products)  # type: ignore[return-value]


def _running(factors: Floats) -> Floats:
    """Log-products of factors 1 … i-1 at place i; 0 at places 0 and 1."""
    logs = np.log(factors[:, 1:])
    empty = np.zeros((len(factors), 2))
    return np.concatenate([empty, np.cumsum(logs, axis=1)], axis=1)
