"""Value models of all families of programs: learned, looked up, kept as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol, TypeVar

from dynasor.certaindex import Certaindex
from dynasor.value.contract import Certificate, Proofs
from dynasor.value.counts import Counts, mixture_of, summary, tokens_of
from dynasor.value.document import from_plain, to_plain
from dynasor.value.episode import Episode, Family
from dynasor.value.moments import UNKNOWN, MomentCounts, MomentsModel
from dynasor.value.stopping import Cost, Outlook
from dynasor.value.votes import VotesModel

GROWTH = 1.5
"""A model is made anew when what it is learned from has grown by this factor …"""

MOST_MISSED = 500
"""… or by so many programs: old ones are forgotten, so that the model follows the traffic."""

MOST_FAMILIES = 256
"""Families that are remembered; the one that has not been seen for longest is forgotten."""

MOST_CAPS = 16
"""Models of one family that are kept, of as many caps; those asked for last."""

Path = tuple[str, ...]
"""A family, or all of one model and algorithm, or of one algorithm: widest name first."""


class ValueModel(Protocol):
    """What further units are worth to programs of one family, kind and cap."""

    @property
    def cap(self) -> int: ...

    def outlook(self, certaindex: Certaindex, cost: Cost) -> Outlook:
        """What is ahead of a program."""

    def promised(self, certaindex: Certaindex, max_disagreement: float) -> Outlook:
        """What is ahead if it may only stop where that is proven to be safe enough."""

    @property
    def proofs(self) -> Proofs:
        """What is proven of contracts; a certificate's bound and alarm are metrics."""


Model = TypeVar("Model")


class Contract(NamedTuple):
    """A contract in use, and what is proven of it."""

    family: Family
    cap: int
    max_disagreement: float
    certificate: Certificate


class ValueModels:
    """What traffic has taught, by family; a family that is new starts from what its likes do:
    the same model and algorithm, then the same algorithm, then a prior."""

    def __init__(self) -> None:
        self._counts: dict[Path, Counts] = {}
        self._of_votes: dict[Path, dict[int, VotesModel]] = {}
        self._of_moments: dict[Path, dict[int, MomentsModel]] = {}
        self._tokens: dict[Path, float] = {}

    def learn(self, episode: Episode) -> None:
        """Take in a program that was run to its cap. One without moments teaches nothing."""
        if not episode.moments:
            return
        self._tokens.clear()
        paths = _paths(episode.family)
        leaf = paths[0]
        self._remember(leaf)
        for path in paths:
            self._counts.setdefault(path, Counts()).learn(episode)
        if not episode.exchangeable:
            for moments in (m for path in paths for m in self._of_moments.get(path, {}).values()):
                moments.changed()
            return
        program = summary(episode)
        model = self._of_votes.get(leaf, {}).get(program.cap)
        if model is not None and program.complete:
            model.add((program.votes, program.abstained))

    def of(self, family: Family, exchangeable: bool, cap: int | None) -> ValueModel:
        """What is known of a kind of programs. Ask again for each decision: others may be there.

        Args:
            exchangeable: their units are independent draws that all vote alike.
            cap: units that they can demand in all; None: that is not known beforehand.
        """
        path = next((path for path in _paths(family) if path in self._counts), ())
        if exchangeable and cap is not None:
            of_votes = self._of_votes.setdefault(path, {})
            votes = of_votes.pop(cap, None) or self._votes_model(path, cap)
            _keep(of_votes, cap, votes)
            self._renew(path, votes)
            return votes
        of_moments = self._of_moments.setdefault(path, {})
        known_cap = cap or UNKNOWN
        moments = of_moments.pop(known_cap, None) or self._moments_model(path, known_cap)
        _keep(of_moments, known_cap, moments)
        return moments

    def tokens_per_unit(self, family: Family) -> float:
        """What a unit of a family's work takes on the mean."""
        path = next((path for path in _paths(family) if path in self._counts), ())
        if path not in self._tokens:
            self._tokens[path] = tokens_of(self._levels(path))
        return self._tokens[path]

    def contracts(self) -> Iterator[Contract]:
        """Contracts that were asked for, for metrics."""
        for kind in (self._of_votes, self._of_moments):
            for path, models in kind.items():
                for cap, model in models.items():
                    for epsilon in model.proofs.asked:
                        yield Contract(_family(path), cap, epsilon, model.proofs.of(epsilon))

    def document(self) -> dict[str, Any]:
        """All of it as plain data (JSON types)."""
        leaves = {_family(path): counts for path, counts in self._counts.items() if len(path) == 3}
        return to_plain(leaves)

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ValueModels:
        """The inverse of `document`. Raises ValueError if it is none."""
        models = cls()
        for family, counts in from_plain(document).items():
            for path in _paths(family):
                models._counts.setdefault(path, Counts()).absorb(counts)
        return models

    def _levels(self, path: Path) -> list[Counts]:
        """What is known along a path, the narrowest first."""
        return [self._counts[path[:length]] for length in range(len(path), 0, -1)]

    def _remember(self, leaf: Path) -> None:
        """Make a family the newest one, and forget the oldest if there are too many."""
        self._counts[leaf] = self._counts.pop(leaf) if leaf in self._counts else Counts()
        leaves = [path for path in self._counts if len(path) == 3]
        for path in leaves[:-MOST_FAMILIES]:
            del self._counts[path]
            self._of_votes.pop(path, None)
            self._of_moments.pop(path, None)

    def _renew(self, path: Path, model: VotesModel) -> None:
        """Make a model anew if it has missed enough."""
        levels = self._levels(path)
        learned = levels[0].programs if levels else 0
        if learned < model.due or not any(counts.of_votes for counts in levels):
            return
        model.due = min(GROWTH * learned, learned + MOST_MISSED)
        model.learn(mixture_of(levels))

    def _votes_model(self, path: Path, cap: int) -> VotesModel:
        made = VotesModel(cap)
        # A family that is new is like others, but proofs must be made on its own programs.
        for program in self._counts[path].of_votes if len(path) == 3 else ():
            if program.complete and program.cap == cap:
                made.add((program.votes, program.abstained))
        return made

    def _moments_model(self, path: Path, cap: int) -> MomentsModel:
        levels = [counts.of_moments for counts in self._levels(path)]
        own = levels[0] if len(path) == 3 else MomentCounts()
        return MomentsModel(own, levels, cap)


def _keep(models: dict[int, Model], cap: int, model: Model) -> None:
    """Keep a model as the newest, and forget the oldest if there are too many."""
    models[cap] = model
    if len(models) > MOST_CAPS:
        del models[next(iter(models))]


def _paths(family: Family) -> tuple[Path, Path, Path]:
    """The family, and what it is like, the narrowest first."""
    model, algorithm, tag = family
    return (algorithm, model, tag), (algorithm, model), (algorithm,)


def _family(path: Path) -> Family:
    """The family of a path; "" for what it leaves open."""
    algorithm, model, tag = (*path, "", "", "")[:3]
    return Family(model, algorithm, tag)
