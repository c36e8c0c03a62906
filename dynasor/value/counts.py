"""What the programs of one family have shown, as it is learned and kept."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

from dynasor.value.episode import Episode
from dynasor.value.mixture import PRIOR, Mixture, Votes, fitted
from dynasor.value.moments import MomentCounts

PROGRAMS = 2000
"""Newest programs of votes that are remembered."""

LIKELY_TOKENS = 500.0
"""Of a unit, where nothing is known."""

PRIOR_UNITS = 20.0
"""Units that what is already believed of tokens counts for."""


class Summary(NamedTuple):
    """All that matters of a program whose votes may come in any order, at its cap.

    Attributes:
        votes: sizes of its answer classes, largest first.
        abstained: units that gave no vote.
        cap: units it could have begun.
    """

    votes: Votes
    abstained: int
    cap: int

    @property
    def complete(self) -> bool:
        """It has begun and ended them all."""
        return sum(self.votes) + self.abstained == self.cap


class Counts:
    """What one family has shown.

    Attributes:
        of_votes: its newest programs where the order of units doesn't matter, oldest first.
        of_moments: all where it does.
        programs, units, tokens: of all together.
    """

    def __init__(self) -> None:
        self.of_votes: deque[Summary] = deque(maxlen=PROGRAMS)
        self.of_moments = MomentCounts()
        self.programs = 0
        self.units = 0
        self.tokens = 0

    def learn(self, episode: Episode) -> None:
        """Count a program that ran to its cap; it has at least one moment."""
        final = episode.moments[-1]
        self.programs += 1
        self.units += final.measured
        self.tokens += final.tokens
        if episode.exchangeable:
            self.of_votes.append(summary(episode))
        else:
            self.of_moments.learn(episode)

    def absorb(self, other: Counts) -> None:
        """Count what another has counted."""
        self.programs += other.programs
        self.units += other.units
        self.tokens += other.tokens
        self.of_votes.extend(other.of_votes)
        self.of_moments.absorb(other.of_moments)

    def mixture(self, prior: Mixture) -> Mixture:
        """Where the votes come from."""
        partitions = Counter(program.votes for program in self.of_votes if program.votes)
        return fitted(partitions, sum(program.abstained for program in self.of_votes), prior)

    def tokens_per_unit(self, prior: float) -> float:
        """What a unit takes on the mean."""
        return (self.tokens + PRIOR_UNITS * prior) / (self.units + PRIOR_UNITS)


def summary(episode: Episode) -> Summary:
    """What is kept of a program of votes."""
    final = episode.moments[-1]
    return Summary(final.votes, final.measured - sum(final.votes), episode.cap)


def mixture_of(families: Sequence[Counts]) -> Mixture:
    """Where the votes of the first family come from; each is believed to be like the next."""
    mixture = PRIOR
    for counts in reversed(families):
        mixture = counts.mixture(mixture)
    return mixture


def tokens_of(families: Sequence[Counts]) -> float:
    """Tokens of a unit of the first family; each is believed to be like the next."""
    tokens = LIKELY_TOKENS
    for counts in reversed(families):
        tokens = counts.tokens_per_unit(tokens)
    return tokens
