"""Rewards: what a reward model or verifier says of chains, and votes weighted by it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.base import Best
from dynasor.algorithms.votes import Ballot
from dynasor.certaindex import Certaindex
from dynasor.work import Finished

Aggregate = Literal["last", "min", "mean", "product"]
Vote = Literal["weighted", "best"]
Scorer = Annotated[
    str,
    Field(min_length=1, max_length=200, description='who judges: "reward", or a verifier\'s name'),
]

LEAST_WEIGHT = 1e-9
"""Weight of a chain without a reward: where no chain has one, the majority decides."""


def aggregate(scores: Sequence[float], how: Aggregate = "last") -> float:
    """One reward, in [0, 1], from the scores of a chain's steps.

    A score that is none (outside [0, 1], NaN) is taken to the nearest end, NaN to 0. No scores, as
    of a scorer that failed, give 0.
    """
    steps = [min(1.0, max(0.0, score)) for score in scores]
    if not steps:
        return 0.0
    match how:
        case "last":
            return steps[-1]
        case "min":
            return min(steps)
        case "mean":
            return math.fsum(steps) / len(steps)
        case "product":
            return math.prod(steps)


class RewardedBallot(msgspec.Struct):
    """A ballot whose chains vote with their rewards.

    Attributes:
        ballot: chains that ended by themselves.
        rewards: of chains, by branch; one that is missing counts as 0.
    """

    ballot: Ballot = msgspec.field(default_factory=Ballot)
    rewards: dict[int, float] = msgspec.field(default_factory=dict)

    def reward(self, chain: Finished) -> float:
        """The reward of a chain, 0 while it has none."""
        return self.rewards.get(chain.branch, 0.0)

    def weigh(self, chain: Finished) -> float:
        """The weight of a chain's vote: its reward."""
        return max(LEAST_WEIGHT, self.reward(chain))

    @property
    def top(self) -> float:
        """Highest reward of a chain; 0 without chains."""
        return max(map(self.reward, self.ballot.chains), default=0.0)

    @property
    def consensus(self) -> float:
        """Share of the leading answer in the weight of all chains, those that abstain included."""
        classes = self.ballot.classes(self.weigh)
        if not classes:
            return 0.0
        return min(1.0, classes[0].weight / sum(map(self.weigh, self.ballot.chains)))

    def certaindex(self, measured: int, **signals: float) -> Certaindex:
        """That of the ballot, with these signals beside the entropy."""
        index = self.ballot.certaindex(measured, self.weigh)
        return msgspec.structs.replace(index, signals={**index.signals, **signals})

    def best(self, vote: Vote = "weighted") -> Best:
        """The answer with the largest sum of rewards, or that of the chain with the highest one.

        Shown by the highest rewarded of its chains. Without any answer: the highest rewarded chain.
        """
        classes = self.ballot.classes(self.weigh)
        if not classes:
            shown = max(self.ballot.chains, key=self.reward, default=None)
            return Best(None, None if shown is None else shown.branch)
        if vote == "best":
            classes = [max(classes, key=lambda group: max(map(self.reward, group.chains)))]
        shown = max(
            classes[0].chains, key=lambda chain: (chain.finish == "stop", self.weigh(chain))
        )
        return Best(classes[0].answer, shown.branch)
