"""Value models of all families of programs: learned, looked up, kept as plain data."""

from __future__ import annotations

from typing import Any, Protocol

from dynasor.certaindex import Certaindex
from dynasor.value.contract import Certificate
from dynasor.value.counts import Counts, mixture_of, summary, tokens_of
from dynasor.value.document import from_plain, to_plain
from dynasor.value.episode import Episode, Family
from dynasor.value.moments import MomentsModel
from dynasor.value.stopping import Cost, Outlook
from dynasor.value.votes import VotesModel

GROWTH = 1.5
"""A model is made anew when its family has grown by this factor …"""

MOST_MISSED = 500
"""… or by so many programs: old ones are forgotten, so that the model follows the traffic."""

LIKELY_CAP = 32
"""Of a program that doesn't say how much it can demand, where nothing is known."""


class ValueModel(Protocol):
    """What further units are worth to programs of one family, kind and cap."""

    @property
    def cap(self) -> int: ...

    def outlook(self, certaindex: Certaindex, cost: Cost) -> Outlook:
        """What is ahead of a program."""

    def promised(self, certaindex: Certaindex, max_disagreement: float) -> Outlook:
        """What is ahead if it may only stop where that is proven to be safe enough."""

    def certificate(self, max_disagreement: float) -> Certificate:
        """What is proven of a contract; its bound and alarm are metrics."""


class ValueModels:
    """What traffic has taught, by family; a family that is new starts from what its likes do:
    the same model and algorithm, then the same algorithm, then a prior."""

    def __init__(self) -> None:
        self._families: dict[Family, Counts] = {}
        self._likes: dict[tuple[str, ...], Counts] = {}
        self._of_votes: dict[Family, dict[int, VotesModel]] = {}
        self._of_moments: dict[Family, dict[int, MomentsModel]] = {}
        self._learned: dict[Family, int] = {}
        self._due: dict[Family, float] = {}
        self._tokens: dict[Family, float] = {}

    def learn(self, episode: Episode) -> None:
        """Take in a program that was run to its cap. One without moments teaches nothing."""
        if not episode.moments:
            return
        family = episode.family
        for counts in self._levels(family):
            counts.learn(episode)
        self._tokens.clear()
        if not episode.exchangeable:
            for model in self._of_moments.get(family, {}).values():
                model.changed()
            return
        program = summary(episode)
        known = self._of_votes.get(family, {})
        if program.complete and program.cap in known:
            known[program.cap].add((program.votes, program.abstained))
        learned = self._learned[family] = self._learned.get(family, 0) + 1
        if known and learned >= self._due.get(family, 0.0):
            self._due[family] = min(GROWTH * learned, learned + MOST_MISSED)
            mixture = mixture_of(self._levels(family))
            for votes in known.values():
                votes.learn(mixture)

    def of(self, family: Family, exchangeable: bool, cap: int | None) -> ValueModel:
        """What is known of a kind of programs; the same object until it is made anew.

        Args:
            exchangeable: their units are independent draws that all vote alike.
            cap: units that they can demand in all; None: that is not known beforehand.
        """
        if exchangeable and cap is not None:
            known = self._of_votes.setdefault(family, {})
            if cap not in known:
                known[cap] = self._votes_model(family, cap)
            return known[cap]
        levels = [counts.of_moments for counts in self._levels(family)]
        cap = cap or max(counts.longest for counts in levels) or LIKELY_CAP
        moments = self._of_moments.setdefault(family, {})
        if cap not in moments:
            moments[cap] = MomentsModel(levels, cap)
        return moments[cap]

    def tokens_per_unit(self, family: Family) -> float:
        """What a unit of a family's work takes on the mean."""
        known = self._tokens.get(family)
        if known is None:
            known = self._tokens[family] = tokens_of(self._levels(family))
        return known

    def document(self) -> dict[str, Any]:
        """All of it as plain data (JSON types)."""
        return to_plain(self._families)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ValueModels:
        """The inverse of `document`. Raises ValueError if it is none."""
        models = cls()
        for family, counts in from_plain(document).items():
            for level in models._levels(family):
                level.absorb(counts)
        return models

    def _levels(self, family: Family) -> list[Counts]:
        """What it and those it is like have shown, the narrowest first."""
        model, algorithm, _ = family
        return [
            self._families.setdefault(family, Counts()),
            self._likes.setdefault((model, algorithm), Counts()),
            self._likes.setdefault((algorithm,), Counts()),
        ]

    def _votes_model(self, family: Family, cap: int) -> VotesModel:
        made = VotesModel(cap)
        levels = self._levels(family)
        for program in levels[0].of_votes:
            if program.complete and program.cap == cap:
                made.add((program.votes, program.abstained))
        if any(counts.of_votes for counts in levels):
            made.learn(mixture_of(levels))
        return made
