"""What majority voting reaches with a number of tokens: the yardstick of everything cleverer.

It is computed from the chains of one fixed-N run: for each n up to N, the accuracy of a vote among
n of a problem's chains drawn at random, and their tokens. Between two n it is interpolated; below
one chain it is that of one chain, beyond N that of N.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cluster.bench.stats import Interval, Values, bootstrap_means

DRAWS = 200
"""Random orders of a problem's chains that are averaged over."""

RESAMPLES = 2_000
"""Fewer than elsewhere: each one is interpolated on a curve of its own."""


class Chain(NamedTuple):
    """A chain's vote: answers with the same key are the same; None: it says none. Its tokens."""

    key: str | None
    correct: bool
    tokens: int


class Curve(NamedTuple):
    """Of one problem: accuracy of the vote among 1, 2, … N chains, and their expected tokens."""

    accuracy: tuple[float, ...]
    tokens: tuple[float, ...]


class EqualTokens(NamedTuple):
    """A row beside majority voting with as many tokens per problem.

    Attributes:
        majority: accuracy of the vote, in [0, 1].
        difference: accuracy of the row less that, in percentage points.
        beyond: the row took more tokens than N chains: the vote is that of N.
    """

    majority: float
    difference: Interval
    beyond: bool


def majority_curve(chains: Sequence[Chain], seed: int) -> Curve:
    """The curve of one problem. The vote goes as in a ballot: most chains, then first seen."""
    rng = random.Random(f"majority:{seed}")
    order = list(chains)
    right = [0] * len(order)
    for _ in range(DRAWS):
        rng.shuffle(order)
        for n, won in enumerate(_winners(order)):
            right[n] += won
    each = sum(chain.tokens for chain in chains) / max(1, len(chains))
    return Curve(
        tuple(count / DRAWS for count in right),
        tuple(each * n for n in range(1, len(order) + 1)),
    )


def at_equal_tokens(
    correct: Sequence[float], tokens: Sequence[float], curves: Sequence[Curve], seed: int
) -> EqualTokens | None:
    """Compare a row with majority voting, problem by problem in the same order.

    Tokens are equal on average over the problems, for the vote has the same n for all of them. The
    interval is the bootstrap's over problems. None: there are no problems, or one without chains.
    """
    longest = min((len(curve.accuracy) for curve in curves), default=0)
    if not longest:
        return None
    columns = np.array(
        [
            [mine, spent, *curve.accuracy[:longest], *curve.tokens[:longest]]
            for mine, spent, curve in zip(correct, tokens, curves, strict=True)
        ],
        dtype=np.float64,
    )
    means = columns.mean(axis=0)
    gains = np.array(
        [100 * _gain(row, longest) for row in bootstrap_means(columns, seed, RESAMPLES)]
    )
    low, high = np.percentile(gains, [2.5, 97.5])
    gain = _gain(means, longest)
    return EqualTokens(
        majority=float(means[0] - gain),
        difference=Interval(100 * gain, float(low), float(high)),
        beyond=bool(means[1] > means[-1]),
    )


def _gain(means: Values, longest: int) -> float:
    """From the means of correct, tokens, and a curve's accuracy and tokens."""
    accuracy, tokens = means[2 : 2 + longest], means[2 + longest :]
    return float(means[0] - np.interp(means[1], tokens, accuracy))


def _winners(order: Sequence[Chain]) -> list[bool]:
    """Whether the vote is right after each chain."""
    counts: dict[str, int] = {}
    first: dict[str, int] = {}
    leader: Chain | None = None
    won: list[bool] = []
    for place, chain in enumerate(order):
        if chain.key is not None:
            counts[chain.key] = counts.get(chain.key, 0) + 1
            first.setdefault(chain.key, place)
            if leader is None or _ahead(chain, leader, counts, first):
                leader = chain
        won.append(leader is not None and leader.correct)
    return won


def _ahead(chain: Chain, leader: Chain, counts: dict[str, int], first: dict[str, int]) -> bool:
    assert chain.key is not None and leader.key is not None, "only chains with an answer lead"
    mine, others = counts[chain.key], counts[leader.key]
    return mine > others or (mine == others and first[chain.key] < first[leader.key])
