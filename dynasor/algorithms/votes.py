"""A ballot: finished chains grouped by their answers."""

from __future__ import annotations

import msgspec

from dynasor.algorithms.base import Best
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex, Vote, entropy_certaindex
from dynasor.work import Finished


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

    @property
    def classes(self) -> list[list[Finished]]:
        """Chains by answer key, largest class first, among equals the one that came first."""
        groups: dict[str, list[Finished]] = {}
        for chain in self.chains:
            if chain.answer is not None:
                groups.setdefault(chain.answer.key, []).append(chain)
        return sorted(groups.values(), key=len, reverse=True)

    def certaindex(self) -> Certaindex:
        """Certaindex of the votes (arXiv 2412.20993, section 3)."""
        classes = self.classes
        abstained = sum(chain.answer is None for chain in self.chains)
        answers = [(_answer(group), len(group)) for group in classes]
        votes = tuple(Vote(answer.text, answer.key, count) for answer, count in answers)
        value = entropy_certaindex([vote.count for vote in votes] + [1] * abstained)
        return Certaindex(value if votes else 0.0, votes, abstained)

    def best(self) -> Best:
        """The majority's answer, shown by its shortest chain that ended by itself."""
        classes = self.classes
        if not classes:
            first = self.chains[0].branch if self.chains else None
            return Best(None, first)
        shown = min(classes[0], key=lambda chain: (chain.finish != "stop", chain.tokens))
        return Best(_answer(classes[0]), shown.branch)


def _answer(group: list[Finished]) -> Answer:
    answer = group[0].answer
    assert answer is not None, "a class is made of chains with answers"
    return answer
