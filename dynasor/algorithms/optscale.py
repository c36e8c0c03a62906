"""How many samples a target reward takes (OptScale, Wang et al. 2025, arXiv 2506.22376).

Scores of independent chains are taken as draws from a normal distribution truncated to [0, 1]; the
highest of N has the distribution function F(s)^N.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, pstdev
from typing import NamedTuple

ROUNDS = 100
"""Of the fit. It nears its limit the slower, the more of the distribution lies outside [0, 1]; F at
a target hardly changes long before."""
LEAST_SPREAD = 0.02
"""Standard deviation at least: few scores, or equal ones, say little about it."""
STANDARD = NormalDist()


class TruncatedNormal(NamedTuple):
    """A normal distribution with this mean and standard deviation, cut to [0, 1]."""

    mean: float
    deviation: float

    @property
    def ends(self) -> tuple[float, float]:
        """0 and 1 in standard deviations from the mean."""
        return -self.mean / self.deviation, (1.0 - self.mean) / self.deviation

    @property
    def mass(self) -> float:
        """What the untruncated distribution has in [0, 1]."""
        low, high = self.ends
        return STANDARD.cdf(high) - STANDARD.cdf(low)

    def below(self, score: float) -> float:
        """F(score), for a score in [0, 1]."""
        low, _ = self.ends
        place = (score - self.mean) / self.deviation
        share = (STANDARD.cdf(place) - STANDARD.cdf(low)) / self.mass
        return min(1.0, max(0.0, share))


def fitted(scores: Sequence[float]) -> TruncatedNormal:
    """The truncated normal distribution under which scores are likeliest.

    By expectation maximization, with the draws that the truncation hides as what is missing; begun
    at the scores' own mean and deviation, no round makes them less likely.

    Args:
        scores: at least one, each in [0, 1].
    """
    mean, square = fmean(scores), fmean(score * score for score in scores)
    fit = TruncatedNormal(mean, max(LEAST_SPREAD, pstdev(scores)))
    for _ in range(ROUNDS):
        (mu, sigma), (low, high), mass = fit, fit.ends, fit.mass
        at_low, at_high = STANDARD.pdf(low), STANDARD.pdf(high)
        # What lies outside has its moments from the present fit, what lies inside from the scores.
        first = mass * mean + mu * (1 - mass) - sigma * (at_low - at_high)
        inside = (mu * mu + sigma * sigma) * mass + 2 * mu * sigma * (at_low - at_high)
        inside += sigma * sigma * (low * at_low - high * at_high)
        second = mass * square + mu * mu + sigma * sigma - inside
        fit = TruncatedNormal(first, max(LEAST_SPREAD, math.sqrt(max(0.0, second - first * first))))
    return fit


def optimal_samples(below: float, confidence: float, cap: int) -> int:
    """Fewest samples whose highest score reaches the target with this confidence:
    ``N = ceil(log(1 - confidence) / log F)``, at least 1 and at most ``cap``.

    Args:
        below: F, the chance that one score stays below the target, in [0, 1].
        confidence: in (0, 1).
        cap: the answer where the target is out of reach.
    """
    if below <= 0.0:
        return 1
    if below >= 1.0:
        return cap
    return max(1, min(cap, math.ceil(math.log(1.0 - confidence) / math.log(below) - 1e-9)))


def attainment(scores: Sequence[float], target: float, confidence: float, cap: int) -> float:
    """Share of the samples that the target takes which are drawn already, in [0, 1].

    1: as many as the confidence asks for, or one of them has reached the target.
    """
    if not scores:
        return 0.0
    if max(scores) >= target:
        return 1.0
    needed = optimal_samples(fitted(scores).below(target), confidence, cap)
    return min(1.0, len(scores) / needed)
