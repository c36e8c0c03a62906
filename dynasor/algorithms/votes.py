"""A ballot: finished chains grouped by their answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from dynasor.algorithms.base import Best
from dynasor.answers.answer import Answer
from dynasor.answers.sketch import similarity
from dynasor.certaindex import Certaindex, Vote, entropy_certaindex
from dynasor.work import Finished

SAME_MEANING = 0.85
"""Free text answers whose embeddings have this cosine or more vote together."""

Weigh = Callable[[Finished], float]


class AnswerClass(NamedTuple):
    """Chains that say the same, in the order they ended, and the sum of their weights."""

    answer: Answer
    chains: list[Finished]
    weight: float


class Ballot(msgspec.Struct):
    """Chains that ended by themselves, in that order. Filled by `add` alone.

    A chain without an answer abstains: it can't win, but in certaindex it counts as a class of
    its own, so that a query whose chains find nothing never looks certain.

    Attributes:
        groups: indices into ``chains`` of those that say the same; a class for each answer, in the
            order in which the first of each came.
        keys: index into ``groups`` of the class of each answer key.
    """

    chains: list[Finished] = msgspec.field(default_factory=list)
    groups: list[list[int]] = msgspec.field(default_factory=list)
    keys: dict[str, int] = msgspec.field(default_factory=dict)

    def add(self, chain: Finished) -> None:
        """Count a chain that ended by itself; one that was taken back has no vote."""
        if chain.finish not in ("stop", "length"):
            return
        if chain.answer is not None:
            self._group(chain.answer).append(len(self.chains))
        self.chains.append(chain)

    def classes(self, weigh: Weigh | None = None) -> list[AnswerClass]:
        """Chains by answer, heaviest class first, among equals the one that came first.

        ``weigh`` gives a chain's weight, at least 0; by default each has 1.
        """
        members = [[self.chains[index] for index in group] for group in self.groups]
        classes = [
            AnswerClass(_answer(group[0]), group, _weight(group, weigh)) for group in members
        ]
        return sorted(classes, key=lambda group: group.weight, reverse=True)

    def votes(self, weigh: Weigh | None = None) -> tuple[Vote, ...]:
        """The classes as evidence."""
        if weigh is None:
            # The same as below without looking at every chain: it is asked after each event.
            largest = sorted(self.groups, key=len, reverse=True)
            firsts = [(_answer(self.chains[group[0]]), len(group)) for group in largest]
            return tuple(Vote(said.text, said.key, n, float(n)) for said, n in firsts)
        return tuple(
            Vote(group.answer.text, group.answer.key, len(group.chains), group.weight)
            for group in self.classes(weigh)
        )

    @property
    def abstained(self) -> int:
        """Chains without an answer."""
        return len(self.chains) - sum(map(len, self.groups))

    @property
    def entropy(self) -> float:
        """Certaindex of the counts (arXiv 2412.20993, section 3)."""
        if not self.groups:
            return 0.0
        return entropy_certaindex([*map(len, self.groups), *[1] * self.abstained])

    @property
    def streak(self) -> int:
        """How many of the newest chains in a row say the same; one without an answer ends it."""
        newest = len(self.chains) - 1
        group = next((group for group in self.groups if group[-1] == newest), [])
        length = 0
        while length < len(group) and group[-1 - length] == newest - length:
            length += 1
        return length

    def softmax(self, score: Weigh, temperature: float) -> Weigh:
        """Weights ``e^(score/T) / Σ e^(score/T)`` over the chains that have an answer.

        Exact for scores of any size; the chains that are there now fix the sum.
        """
        scores = [score(self.chains[index]) for group in self.groups for index in group]
        top = max(scores, default=0.0)
        total = math.fsum(math.exp((value - top) / temperature) for value in scores)
        return lambda chain: math.exp((score(chain) - top) / temperature) / total

    def certaindex(self, measured: int, weigh: Weigh | None = None) -> Certaindex:
        """Entropy of the counts as the signal, with the votes behind it."""
        signals = {"entropy": self.entropy}
        return Certaindex(signals, measured, self.votes(weigh), self.abstained, self.streak)

    def best(self, weigh: Weigh | None = None) -> Best:
        """The heaviest answer, shown by its shortest chain that ended by itself."""
        classes = self.classes(weigh)
        if not classes:
            return Best(None, self.chains[0].branch if self.chains else None)
        shown = min(classes[0].chains, key=lambda chain: (chain.finish != "stop", chain.tokens))
        return Best(classes[0].answer, shown.branch)

    def _group(self, answer: Answer) -> list[int]:
        """The class that the answer belongs to, which may be a new one."""
        if answer.key not in self.keys:
            place = self._similar(answer)
            if place is None:
                place = len(self.groups)
                self.groups.append([])
            self.keys[answer.key] = place
        return self.groups[self.keys[answer.key]]

    def _similar(self, answer: Answer) -> int | None:
        """The first class that means the same as a free text answer."""
        if answer.sketch is None:
            return None
        for place, group in enumerate(self.groups):
            first = _answer(self.chains[group[0]])
            if first.sketch is not None and similarity(first.sketch, answer.sketch) >= SAME_MEANING:
                return place
        return None


def _answer(chain: Finished) -> Answer:
    assert chain.answer is not None, "a class is made of chains with answers"
    return chain.answer


def _weight(chains: list[Finished], weigh: Weigh | None) -> float:
    return float(len(chains)) if weigh is None else math.fsum(map(weigh, chains))
