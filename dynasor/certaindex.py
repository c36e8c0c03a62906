"""Certaindex from votes (arXiv 2412.20993, section 3)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec


class Vote(msgspec.Struct, frozen=True):
    """One answer class: how it was first written, its key, and the chains behind it."""

    answer: str
    key: str
    count: int


class Certaindex(msgspec.Struct, frozen=True):
    """How settled an answer is, with the evidence.

    Attributes:
        value: in [0, 1]; 1: further compute would not change the answer.
        votes: answer classes, most votes first.
        abstained: chains that ended without an answer.
    """

    value: float
    votes: tuple[Vote, ...] = ()
    abstained: int = 0


def entropy_certaindex(counts: Iterable[int]) -> float:
    """``(ln n - H) / ln n`` over class sizes, H the entropy of the classes in nats.

    Args:
        counts: sizes of the answer classes, each at least 1; n is their sum.

    Returns:
        A value in [0, 1]. n = 0 and n = 1, where the paper leaves it undefined, give 0: a single
        chain says nothing about agreement.

    Raises:
        ValueError: a class of size below 1.
    """
    sizes = list(counts)
    if any(size < 1 for size in sizes):
        raise ValueError(f"class sizes must be at least 1, got {sizes}")
    n = sum(sizes)
    if n < 2:
        return 0.0
    # H = ln n - Σ c·ln c / n, so the difference needs only the sum; exact 0 and 1 at the ends.
    value = math.fsum(size * math.log(size) for size in sizes) / (n * math.log(n))
    return min(1.0, max(0.0, value))
