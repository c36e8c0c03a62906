"""Accuracy contracts: which stopping rule is proven to keep the answer of the full budget.

Learn then test (Angelopoulos et al. 2021, arXiv 2110.01052): rules are ordered from the safest on
and fixed in advance; each is tested on programs that were run to their cap; testing ends at the
first rule that fails, so that one wrong proof among all has at most the chance ``1 - CONFIDENCE``.
A test is a bet (Waudby-Smith and Ramdas 2023, arXiv 2010.09686): were the mean loss above ε, the
capital ``Π (1 + λ (ε - loss))`` would not grow on the mean, and reach ``1/δ`` with chance δ at
most.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

import numpy as np

from dynasor.value.mixture import Floats

CONFIDENCE = 0.95
"""Chance that a proof is right."""

BETS = np.array([0.3, 0.6, 0.98])
"""Shares of the most that can be bet; the capital is divided among them."""

RECENT = 100
"""Newest programs that are watched for drift."""

MOST_CONTRACTS = 16
"""Contracts that are kept in mind, of one family and cap."""

LEVELS = np.concatenate([np.geomspace(1e-3, 0.5, 60), np.linspace(0.55, 1.0, 10)])
"""Values of a bound."""


class Certificate(NamedTuple):
    """What is proven for one family, cap and ε.

    Attributes:
        rule: place of the boldest rule that is proven, among the ordered ones; None: none is.
        bound: mean disagreement of that rule, or of the one that was proven before the newest
            programs, is at most this, with `CONFIDENCE`; 0 for none.
        recent: its mean disagreement over the newest programs.
        alarm: the newest programs contradict what those before them prove: traffic has drifted,
            and no rule is trusted.
        programs: how many were looked at.
    """

    rule: int | None
    bound: float
    recent: float
    alarm: bool
    programs: int


class Proofs:
    """Certificates of the contracts that are asked for, made anew when there are new losses."""

    def __init__(self, losses: Callable[[], Floats]) -> None:
        """``losses``: as `certificate` takes them."""
        self._losses = losses
        self._made: dict[float, Certificate] = {}
        self._asked: dict[float, None] = {}

    def of(self, max_disagreement: float) -> Certificate:
        """What is proven of a contract."""
        known = self._made.get(max_disagreement)
        if known is None:
            self._asked[max_disagreement] = None
            if len(self._asked) > MOST_CONTRACTS:
                del self._asked[next(iter(self._asked))]
                self._made.clear()
            known = self._made[max_disagreement] = certificate(self._losses(), max_disagreement)
        return known

    def changed(self) -> None:
        """There are new losses."""
        self._made.clear()

    @property
    def asked(self) -> Collection[float]:
        """Contracts that were asked for of late."""
        return tuple(self._asked)


def certificate(losses: Floats, max_disagreement: float) -> Certificate:
    """What is proven by these losses.

    Args:
        losses: in [0, 1], shape (programs, rules): the chance that the answer at the stop of a
            rule is not the full one; oldest program first, safest rule first.
        max_disagreement: ε.
    """
    before, newest = boldest(losses[:-RECENT], max_disagreement), losses[-RECENT:]
    alarm = before is not None and is_above(newest[:, before], max_disagreement)
    rule = None if alarm else boldest(losses, max_disagreement)
    watched = rule if rule is not None else before
    if watched is None:
        return Certificate(None, 0.0, 0.0, alarm, len(losses))
    recent = float(newest[:, watched].mean())
    return Certificate(rule, upper_bound(losses[:, watched]), recent, alarm, len(losses))


def boldest(losses: Floats, level: float) -> int | None:
    """The last rule of those that are proven one after the other, safest first."""
    proven = None
    for rule in range(losses.shape[1]):
        if not is_below(losses[:, rule], level):
            break
        proven = rule
    return proven


def is_below(losses: Floats | Sequence[float], level: float) -> bool:
    """Whether losses in [0, 1] prove that their mean is at most ``level``."""
    if level >= 1.0:
        return True
    return _wins(level - np.asarray(losses), 1.0 / (1.0 - level))


def is_above(losses: Floats | Sequence[float], level: float) -> bool:
    """Whether losses in [0, 1] prove that their mean is above ``level``."""
    return level > 0.0 and _wins(np.asarray(losses) - level, 1.0 / level)


def upper_bound(losses: Floats | Sequence[float]) -> float:
    """The least of `LEVELS` that the mean of losses in [0, 1] is proven to be below."""
    return next((float(level) for level in LEVELS if is_below(losses, level)), 1.0)


def _wins(advantages: Floats, most: float) -> bool:
    """Whether the capital of all bets together has grown by ``1 / (1 - CONFIDENCE)``."""
    capital = np.log1p(np.outer(most * BETS, advantages)).sum(axis=1)
    return bool(np.logaddexp.reduce(capital) - np.log(len(BETS)) >= -np.log(1 - CONFIDENCE))
