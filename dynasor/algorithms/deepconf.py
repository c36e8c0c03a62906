"""DeepConf online (Fu et al. 2025, arXiv 2508.15260): chains that the model doubts are stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.votes import Ballot
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import Drop, Dropped, Event, Finished, Generate, Grew, Measure, Started, WorkItem


class DeepConfParams(Params):
    """Parameters of DeepConf."""

    max_branches: int = Field(32, ge=1, le=256, description="most chains to sample")
    warmup: int = Field(
        16, ge=1, le=256, description="first chains, which run to their end and set the threshold"
    )
    eta: float = Field(
        90.0,
        ge=1.0,
        le=100.0,
        description="share of the warm-up chains that are strong enough, in %; the paper's "
        "DeepConf-high is 90, DeepConf-low 10: it saves more and needs more chains",
    )
    window: int = Field(
        32,
        ge=1,
        le=16384,
        description="tokens of a confidence group; 2048 in the paper, for chains of tens of "
        "thousands of tokens. A shorter chain is never stopped",
    )
    top: int = Field(
        20, ge=1, le=20, description="most probable tokens that a token's confidence is taken over"
    )
    score: Literal["lowest", "bottom", "tail", "mean"] = Field(
        "lowest",
        description="the confidence that a chain's vote weighs: of its lowest group, its lowest "
        "tenth of groups, its newest group, or the whole chain",
    )


class DeepConfState(msgspec.Struct):
    """What happened.

    Attributes:
        threshold: least group confidence of a strong chain; None: not known (yet).
        ballot: strong chains; all that have ended while there is no threshold.
        rejected: chains that ended by themselves below the threshold.
        weak: running chains below it, and whether they are being taken back already.
    """

    started: int = 0
    ended: int = 0
    threshold: float | None = None
    ballot: Ballot = msgspec.field(default_factory=Ballot)
    rejected: Ballot = msgspec.field(default_factory=Ballot)
    weak: dict[int, bool] = msgspec.field(default_factory=dict)


@ALGORITHMS.register
class DeepConf(Algorithm[DeepConfParams, DeepConfState]):
    """Samples chains from the same prompt; the knob is the number of chains.

    Once the warm-up has ended, the threshold is the (100 - eta)th percentile of its chains' lowest
    group confidences. The other chains start all at once, and one is taken back as soon as a group
    of its tokens falls below. Only chains that end above it vote, those of the warm-up too; votes
    weigh what the model's confidence was.

    The consensus V(top) / ΣV over all strong chains is the signal to stop at. Other than in the
    paper, a chain without an answer counts against it, and a single chain is no consensus.
    """

    name = "deepconf"
    source = "Fu et al. 2025, arXiv 2508.15260"
    Params = DeepConfParams
    State = DeepConfState
    size = "max_branches"

    @property
    def stop_hint(self) -> StopHint:
        warmup = min(self.params.warmup, self.params.max_branches)
        return StopHint(
            knob=warmup, thresholds={"consensus": 0.95}, wave=None, most=self.params.max_branches
        )

    def demand(self) -> Iterator[WorkItem]:
        state, params = self.state, self.params
        weak = [branch for branch, told in state.weak.items() if not told]
        yield from map(Drop, weak)
        warm = state.ended >= params.warmup
        last = params.max_branches if warm else min(params.warmup, params.max_branches)
        measure = Measure(group=params.window, top=params.top)
        for branch in range(state.started, last):
            yield Generate(branch, measure=measure, follow=branch >= params.warmup)

    def observe(self, event: Event) -> None:
        state = self.state
        match event:
            case Started(branch):
                state.started = branch + 1
            case Dropped(branch) if branch in state.weak:
                state.weak[branch] = True
            case Grew(branch=branch, measured=measured):
                lowest = None if measured is None else measured.lowest
                if lowest is not None and state.threshold is not None and lowest < state.threshold:
                    state.weak.setdefault(branch, False)
            case Finished(branch=branch):
                state.ended += 1
                state.weak.pop(branch, None)
                self._count(event)
                if state.ended == self.params.warmup:
                    self._end_warmup()

    def certaindex(self) -> Certaindex:
        ballot, signals = self.state.ballot, {"consensus": self._consensus()}
        votes = ballot.votes(self._weight)
        return Certaindex(signals, self.state.ended, votes, ballot.abstained, ballot.streak)

    def answer(self) -> Best:
        best = self.state.ballot.best(self._weight)
        if best.answer is None and self.state.rejected.groups:
            return self.state.rejected.best(self._weight)
        return best

    def _end_warmup(self) -> None:
        """Set the threshold, and keep only the chains above it."""
        chains = self.state.ballot.chains
        lowest = [value for value in map(_lowest, chains) if value is not None]
        if lowest:
            self.state.threshold = percentile(lowest, 100.0 - self.params.eta)
        self.state.ballot = Ballot()
        for chain in chains:
            self._count(chain)

    def _count(self, chain: Finished) -> None:
        lowest, threshold = _lowest(chain), self.state.threshold
        strong = threshold is None or lowest is None or lowest >= threshold
        (self.state.ballot if strong else self.state.rejected).add(chain)

    def _weight(self, chain: Finished) -> float:
        """Confidence of a chain. One that was not measured is taken to be just strong enough."""
        score: float | None = None
        if chain.measured is not None:
            score = getattr(chain.measured, self.params.score)
            score = chain.measured.mean if score is None else score
        return max(0.0, (self.state.threshold or 1.0) if score is None else score)

    def _consensus(self) -> float:
        ballot = self.state.ballot
        total = math.fsum(map(self._weight, ballot.chains))
        if len(ballot.chains) < 2 or not ballot.groups or total == 0.0:
            return 0.0
        return min(1.0, ballot.classes(self._weight)[0].weight / total)


def percentile(values: Sequence[float], q: float) -> float:
    """The value below which ``q`` percent of the values lie, interpolated linearly between the two
    that are nearest in rank: numpy's default."""
    ranked = sorted(values)
    rank = (len(ranked) - 1) * q / 100.0
    below = math.floor(rank)
    low, high = ranked[below], ranked[math.ceil(rank)]
    return min(high, low + (high - low) * (rank - below))


def _lowest(chain: Finished) -> float | None:
    """Confidence of its lowest group; of all its tokens where it has not one whole group."""
    if chain.measured is None:
        return None
    return chain.measured.mean if chain.measured.lowest is None else chain.measured.lowest
