"""Certaindex: how settled an answer is (arXiv 2412.20993, section 3), with the evidence."""

from __future__ import annotations

import math
from collections.abc import Iterable

import msgspec


class Vote(msgspec.Struct, frozen=True, gc=False):
    """One answer class: how it was first written, its key, the chains behind it, their weight."""

    answer: str
    key: str
    count: int
    weight: float = 0.0


class Certaindex(msgspec.Struct, frozen=True, gc=False):
    """How settled an answer is, with the evidence.

    Attributes:
        signals: by name, each in [0, 1]; 1: further compute would not change the answer.
        measured: units of the algorithm's knob that have ended, whatever came of them: the paper's
            certaindex@measured.
        votes: answer classes, most votes first.
        abstained: chains that ended without an answer.
        streak: how many of the newest answers in a row are the same.
    """

    signals: dict[str, float] = {}
    measured: int = 0
    votes: tuple[Vote, ...] = ()
    abstained: int = 0
    streak: int = 0

    @property
    def value(self) -> float:
        """The least of the signals: an answer is as settled as they all say. Without any, 0."""
        return min(self.signals.values(), default=0.0)


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


def beta_certaindex(top: int, second: int) -> float:
    """Chance that the leading answer is the more probable of the two leading ones.

    ``Pr(Beta(a+1, b+1) > 1/2) = Σ_{k≤a} C(a+b+1, k) / 2^(a+b+1)`` for vote counts a ≥ b
    (Adaptive-Consistency, arXiv 2305.11860).

    Raises:
        ValueError: counts that are negative or not in descending order.
    """
    if not 0 <= second <= top:
        raise ValueError(f"counts must be top >= second >= 0, got {top} and {second}")
    n = top + second + 1
    return math.ldexp(sum(math.comb(n, k) for k in range(top + 1)), -n)
