"""Best-of-N: independent chains, judged by a reward model; as many as OptScale holds for enough
(Cobbe et al. 2021, arXiv 2110.14168; Li et al. 2022, arXiv 2206.02336; Wang et al. 2025, arXiv
2506.22376)."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.optscale import attainment
from dynasor.algorithms.rewards import Aggregate, RewardedBallot, Scorer, Vote, aggregate
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Event, Finished, Generate, Measure, Score, Started, WorkItem


class BestOfNParams(Params):
    """Parameters of best-of-N."""

    max_branches: int = Field(16, ge=1, le=256, description="most chains to sample")
    vote: Vote = Field(
        "weighted",
        description='which answer wins: with the largest sum of rewards ("weighted"), or that of '
        'the chain with the highest reward ("best")',
    )
    aggregate: Aggregate = Field(
        "last", description="a chain's reward: the score of its end, or made of those of its steps"
    )
    target: float = Field(
        0.9, ge=0.0, le=1.0, description="reward from which a chain is good enough"
    )
    confidence: float = Field(
        0.95, gt=0.0, lt=1.0, description="chance to reach the target with which sampling may end"
    )
    scorer: Scorer = "reward"
    probability: bool = Field(
        False, description="also measure how probable the chains were, which changes no vote"
    )


class BestOfNState(msgspec.Struct):
    """Chains that were started, and those that have ended and were judged or never will be; those
    whose score was not accepted yet; all that vote."""

    started: int = 0
    ended: int = 0
    unscored: list[int] = msgspec.field(default_factory=list)
    ballot: RewardedBallot = msgspec.field(default_factory=RewardedBallot)


@ALGORITHMS.register
class BestOfN(Algorithm[BestOfNParams, BestOfNState]):
    """Samples chains from the same prompt; the knob is the number of chains.

    The score of chain b is item ``max_branches + b``.
    """

    name = "best_of_n"
    source = "Cobbe et al. 2021, arXiv 2110.14168; OptScale, arXiv 2506.22376"
    Params = BestOfNParams
    State = BestOfNState
    size = "max_branches"

    @property
    def stop_hint(self) -> StopHint:
        """Settled when OptScale's number of samples is reached; for a weighted vote, its winner
        must also hold most of the weight, for the next chain could turn it."""
        thresholds = {"reward": 1.0}
        if self.params.vote == "weighted":
            thresholds["consensus"] = 0.9
        return StopHint(knob=5, thresholds=thresholds, wave=5, most=self.params.max_branches)

    @property
    def scorer(self) -> str:
        return self.params.scorer

    def demand(self) -> Iterator[WorkItem]:
        params, state = self.params, self.state
        steps = params.aggregate != "last"
        items: list[WorkItem] = [
            Score(params.max_branches + chain, chain, params.scorer, steps)
            for chain in state.unscored
        ]
        measure = Measure(probability=True) if params.probability else None
        waiting = range(state.started, params.max_branches)
        items += [Generate(branch, measure=measure) for branch in waiting]
        return iter(items)

    def observe(self, event: Event) -> None:
        state, chains = self.state, self.params.max_branches
        match event:
            case Started(branch) if branch < chains:
                state.started = branch + 1
            case Started(branch) if branch - chains in state.unscored:
                state.unscored.remove(branch - chains)
            case Finished(branch=branch) if branch >= chains:
                state.ended += 1
                # A score that failed is no draw from the distribution of scores.
                if event.scores:
                    reward = aggregate(event.scores, self.params.aggregate)
                    state.ballot.rewards[branch - chains] = reward
            case Finished(branch=branch, finish="stop" | "length"):
                state.ballot.ballot.add(event)
                state.unscored.append(branch)
            case Finished():
                state.ended += 1

    def certaindex(self) -> Certaindex:
        """Entropy of the answers; how far the drawn samples go towards the target reward; the
        winner's share of the rewards."""
        params, ballot = self.params, self.state.ballot
        scores = list(ballot.rewards.values())
        reward = attainment(scores, params.target, params.confidence, params.max_branches)
        return ballot.certaindex(self.state.ended, reward=reward, consensus=ballot.consensus)

    def answer(self) -> Best:
        return self.state.ballot.best(self.params.vote)
