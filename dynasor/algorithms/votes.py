"""A ballot: finished chains grouped by their answers."""

from __future__ import annotations

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
    """Chains in the order they ended; everything else is derived.

    A chain without an answer abstains: it can't win, but in certaindex it counts as a class of
    its own, so that a query whose chains find nothing never looks certain.
    """

    chains: list[Finished] = msgspec.field(default_factory=list)

    def add(self, chain: Finished) -> None:
        """Count a chain that ended by itself; one that was taken back has no vote."""
        if chain.finish in ("stop", "length"):
            self.chains.append(chain)

    def classes(self, weigh: Weigh | None = None) -> list[AnswerClass]:
        """Chains by answer, heaviest class first, among equals the one that came first.

        ``weigh`` gives a chain's weight, at least 0; by default each has 1.
        """
        groups: list[list[Finished]] = []
        by_key: dict[str, list[Finished]] = {}
        for chain in self.chains:
            if chain.answer is None:
                continue
            group = by_key.get(chain.answer.key) or _similar(chain.answer, groups)
            if group is None:
                group = []
                groups.append(group)
            group.append(chain)
            by_key[chain.answer.key] = group
        classes = [AnswerClass(_answer(group[0]), group, _weight(group, weigh)) for group in groups]
        return sorted(classes, key=lambda group: group.weight, reverse=True)

    def votes(self, weigh: Weigh | None = None) -> tuple[Vote, ...]:
        """The classes as evidence."""
        return tuple(
            Vote(group.answer.text, group.answer.key, len(group.chains), group.weight)
            for group in self.classes(weigh)
        )

    @property
    def abstained(self) -> int:
        """Chains without an answer."""
        return sum(chain.answer is None for chain in self.chains)

    @property
    def entropy(self) -> float:
        """Certaindex of the counts (arXiv 2412.20993, section 3)."""
        counts = [vote.count for vote in self.votes()]
        return entropy_certaindex(counts + [1] * self.abstained) if counts else 0.0

    @property
    def streak(self) -> int:
        """How many of the newest chains in a row say the same; one without an answer ends it."""
        if not self.chains or self.chains[-1].answer is None:
            return 0
        newest = next(group for group in self.classes() if self.chains[-1] in group.chains)
        length = 0
        for chain in reversed(self.chains):
            if chain not in newest.chains:
                break
            length += 1
        return length

    def certaindex(self, measured: int, weigh: Weigh | None = None) -> Certaindex:
        """Entropy of the counts as the signal, with the votes behind it."""
        votes = self.votes(weigh)
        signals = {"entropy": self.entropy}
        return Certaindex(signals, measured, votes, self.abstained, self.streak)

    def best(self, weigh: Weigh | None = None) -> Best:
        """The heaviest answer, shown by its shortest chain that ended by itself."""
        classes = self.classes(weigh)
        if not classes:
            return Best(None, self.chains[0].branch if self.chains else None)
        shown = min(classes[0].chains, key=lambda chain: (chain.finish != "stop", chain.tokens))
        return Best(classes[0].answer, shown.branch)


def _answer(chain: Finished) -> Answer:
    assert chain.answer is not None, "a class is made of chains with answers"
    return chain.answer


def _weight(chains: list[Finished], weigh: Weigh | None) -> float:
    return float(len(chains)) if weigh is None else sum(map(weigh, chains))


def _similar(answer: Answer, groups: list[list[Finished]]) -> list[Finished] | None:
    """The first class that means the same as a free text answer."""
    if answer.sketch is None:
        return None
    for group in groups:
        first = _answer(group[0])
        if first.sketch is not None and similarity(first.sketch, answer.sketch) >= SAME_MEANING:
            return group
    return None
