"""How votes come in: paths of programs, drawn from a mixture or from programs that were seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dynasor.value.mixture import (
    DISCOUNT,
    STRENGTH,
    Floats,
    Mixture,
    Votes,
    log_likelihood,
    responsibilities,
)

Ints = npt.NDArray[np.int64]

CLASSES = 16
"""Answer classes of a drawn program that are told apart; rarer ones can't win."""

FINE = 12
"""Up to so many units there is a look after each one."""

SPACING = 1.08
"""Factor between looks after that: a few percent more units than with a look after each."""


class Paths(NamedTuple):
    """Votes of many programs as their units end.

    Attributes:
        top, second: votes of the two leading answers, shape (programs, looks).
        agrees: whether the leader is the one after all units, same shape.
        support: share of all the answers the model would ever give that say what the leader
            says, same shape; 0 where there is no leader.
        weights: how many programs each of them stands for, shape (programs,).
    """

    top: Ints
    second: Ints
    agrees: npt.NDArray[np.bool_]
    support: Floats
    weights: Floats


def looks(cap: int) -> tuple[int, ...]:
    """Numbers of units after which a program is looked at; the last is its cap (at least 1)."""
    times = [0]
    while times[-1] < cap:
        last = times[-1]
        times.append(min(cap, last + 1 if last < FINE else max(last + 1, round(last * SPACING))))
    return tuple(times)


def drawn(mixture: Mixture, cap: int, programs: int, weight: float, seed: int) -> Paths:
    """Programs from a mixture, which together stand for ``weight`` ones.

    Answers are drawn from shares that sticks are broken into (Pitman and Yor 1997). How often
    chains abstain differs as much as it can from program to program: Beta(m, 1 - m).
    """
    rng = np.random.default_rng(seed)
    component = rng.choice(len(mixture.weights), programs, p=mixture.weights)
    strength, discount = STRENGTH[component, None], DISCOUNT[component, None]
    place = np.arange(1, CLASSES + 1)
    broken = rng.beta(1 - discount, strength + place * discount + 1e-9, (programs, CLASSES))
    left = np.cumprod(1 - broken, axis=1)
    shares = broken * np.concatenate([np.ones((programs, 1)), left[:, :-1]], axis=1)
    abstains = rng.beta(mixture.abstaining, 1 - mixture.abstaining, (programs, 1))
    bounds = np.cumsum(shares, axis=1)
    answers = np.empty((programs, cap), np.int64)
    for unit in range(cap):
        answers[:, unit] = _ranks(bounds, rng.random(programs))
    answers[answers == CLASSES] = -1
    answers[rng.random(answers.shape) < abstains] = -1
    return _walk(answers, shares, np.full(programs, weight / programs))


def seen(
    partitions: Sequence[tuple[Votes, int]],
    mixture: Mixture,
    orders: int,
    seed: int,
    first: int = 0,
) -> Paths:
    """Programs that were seen to their cap, each in random orders, for none was more likely.

    Args:
        partitions: votes of each and its chains without an answer; all of the same cap.
        mixture: what they come from: it says how far a share of votes is chance.
        orders: of each.
        first: running number of the first of them; a program's orders depend on its own number
            and the seed, not on which others there are.
    """
    cap = sum(partitions[0][0]) + partitions[0][1]
    classes = max(1, *(len(votes) for votes, _ in partitions))
    shares = np.zeros((len(partitions), classes))
    answers = np.full((len(partitions), orders, cap), -1)
    for row, (votes, _) in enumerate(partitions):
        shares[row, : len(votes)] = _shares(votes, mixture)
        answers[row, :, : sum(votes)] = np.repeat(np.arange(len(votes)), votes)
        np.random.default_rng((seed, first + row)).permuted(answers[row], axis=1, out=answers[row])
    together = answers.reshape(-1, cap)
    return _walk(together, np.repeat(shares, orders, axis=0), np.full(len(together), 1 / orders))


def joined(parts: Sequence[Paths]) -> Paths:
    """All programs of paths with the same cap."""
    return Paths(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _shares(votes: Votes, mixture: Mixture) -> Floats:
    """What share of further answers each class gets: ``(c - d) / (n + θ)`` on the mean."""
    chances = responsibilities(log_likelihood(votes)[None], mixture.weights)[0]
    expected = (np.array(votes)[:, None] - DISCOUNT) / (sum(votes) + STRENGTH)
    shares: Floats = expected @ chances
    return shares


def _ranks(bounds: Floats, chances: Floats) -> Ints:
    """How many bounds of its row, shape (programs, classes), lie below each chance."""
    ranks = np.zeros(len(chances), np.int64)
    for bound in bounds.T:
        ranks += bound < chances
    return ranks


def _walk(answers: Ints, shares: Floats, weights: Floats) -> Paths:
    """Count answers, shape (programs, cap), -1 for none; among equals the first one leads."""
    programs, cap = answers.shape
    rows, times = np.arange(programs), looks(cap)
    # One column more for those without an answer.
    counts = np.zeros((programs, shares.shape[1] + 1), np.int64)
    first = np.full(counts.shape, cap)
    leader, top, second = np.full(programs, -1), np.zeros_like(rows), np.zeros_like(rows)
    shape = (programs, len(times))
    leaders, tops, seconds = (np.zeros(shape, np.int64) for _ in range(3))
    for look, (start, end) in enumerate(zip((0, *times), times, strict=False)):
        for unit in range(start, end):
            answer = answers[:, unit]
            counts[rows, answer] += 1
            first[rows, answer] = np.minimum(first[rows, answer], unit)
            count = counts[rows, answer]
            sooner = first[rows, answer] < first[rows, leader]
            ahead = (count > top) | ((count == top) & sooner)
            said, leads = answer >= 0, answer == leader
            # A leader that is overtaken is the runner-up.
            other = np.where(ahead, top, np.maximum(second, count))
            second = np.where(said & ~leads, other, second)
            taken = said & (leads | ahead)
            leader, top = np.where(taken, answer, leader), np.where(taken, count, top)
        leaders[:, look], tops[:, look], seconds[:, look] = leader, top, second
    support = np.where(tops > 0, np.take_along_axis(shares, leaders.clip(0), axis=1), 0.0)
    agrees = leaders == leaders[:, -1:]
    return Paths(tops, seconds, agrees, support, weights)
