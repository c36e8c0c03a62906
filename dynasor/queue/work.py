"""How much work a program still is, learned from those that have ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from dynasor.certaindex import Certaindex
from dynasor.queue.lengths import Key, Lengths
from dynasor.value.episode import Family

_SHARES = 8


class Progress(NamedTuple):
    """How far a program is, in classes: what tells programs of one family apart.

    Attributes:
        units: units of its knob that have ended, by powers of two.
        settled: share of the leading answer among the votes, in eighths; without votes the
            certaindex.
    """

    units: int
    settled: int

    @classmethod
    def of(cls, certaindex: Certaindex) -> Progress:
        counts = [vote.count for vote in certaindex.votes]
        share = max(counts) / sum(counts) if counts else certaindex.value
        return cls(certaindex.measured.bit_length(), int(_SHARES * share))


class Step(NamedTuple):
    """A program came into this class of progress after so many tokens, all branches."""

    progress: Progress
    tokens: int


class RemainingWork:
    """Total tokens of programs, by family, progress and the octave of the tokens spent so far;
    and what follows from them for a program that is there.

    What is rare leans on programs of the same progress whatever they have spent, then on all of
    the family, the algorithm and the model. A program counts once in each class it was in.
    """

    def __init__(self, *, memory: float = 1024.0, keys: int = 4096) -> None:
        """See `Lengths`."""
        self._totals = Lengths(prior_mean=4096.0, memory=memory, keys=keys)

    def learn(self, family: Family, path: Sequence[Step], total: int) -> None:
        """A program has ended by itself.

        Args:
            path: the classes it went through, in order; empty: it counts for its family alone.
            total: tokens it spent, all branches.
        """
        ends = [*(step.tokens for step in path[1:]), total]
        classes = [
            _key(family, step.progress, octave)
            for step, end in zip(path, ends, strict=False)
            for octave in range(step.tokens.bit_length(), max(step.tokens, end).bit_length() + 1)
        ]
        keys: list[Key] = [tuple(family), *classes]
        self._totals.learn_all(keys, total)

    def expected(self, family: Family, progress: Progress, tokens: int, fallback: float) -> float:
        """Mean of the tokens a program still spends; ``fallback`` while nothing is known of its
        model and algorithm."""
        if family[:2] not in self._totals:
            return fallback
        return self._totals.remaining(_key(family, progress, tokens.bit_length()), tokens)

    def index(self, family: Family, progress: Progress, tokens: int, fallback: float) -> float:
        """Inverse Gittins index in tokens, at most the mean. See `Distribution.index`."""
        if family[:2] not in self._totals:
            return fallback
        key = _key(family, progress, tokens.bit_length())
        return self._totals.distribution(key).index(tokens)

    def snapshot(self) -> dict[str, Any]:
        """What was learned as plain data."""
        return self._totals.snapshot()

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over what another one had learned."""
        self._totals.restore(snapshot)


def _key(family: Family, progress: Progress, octave: int) -> Key:
    return (*family, progress.units, progress.settled, octave)
