"""Slim-SC (Hong et al. 2025, arXiv 2509.13990): chains that think alike are pruned to one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Literal

import msgspec
from pydantic import Field

from dynasor.algorithms.base import ALGORITHMS, Algorithm, Best, StopHint
from dynasor.algorithms.votes import Ballot
from dynasor.answers.sketch import similarity
from dynasor.certaindex import Certaindex
from dynasor.registry import Params
from dynasor.work import (
    Drop,
    Dropped,
    Event,
    Finished,
    Generate,
    Grew,
    Measure,
    Started,
    WorkItem,
)


class SlimSCParams(Params):
    """Parameters of Slim-SC."""

    max_branches: int = Field(16, ge=1, le=256, description="most chains to sample")
    threshold: float = Field(
        0.95, ge=0.0, le=1.0, description="cosine from which two thoughts are taken for the same"
    )
    delay: int = Field(
        2,
        ge=0,
        le=1000,
        description="thoughts of a chain before it is compared, for all begin alike; 20 in the "
        "paper, for chains of hundreds of thoughts",
    )
    prune: Literal["random", "diversity"] = Field(
        "diversity",
        description="which of two chains goes: any, or the one whose own thoughts are more alike",
    )
    keep: int = Field(
        3, ge=1, le=256, description="chains, running or ended, that are left for the vote at least"
    )
    recent: int = Field(
        32,
        ge=1,
        le=1024,
        description="newest thoughts of each other chain that a new thought is compared with",
    )
    seed: int = Field(0, ge=0, le=2**32 - 1, description="of random pruning")


class Chain(msgspec.Struct):
    """A running chain: sketches of its thoughts, and the sum of the similarities of all pairs of
    them (kept for pruning by diversity only)."""

    thoughts: list[bytes] = msgspec.field(default_factory=list)
    overlap: float = 0.0

    @property
    def redundancy(self) -> float:
        """Mean similarity of two of its thoughts; 0 where there are no two."""
        count = len(self.thoughts)
        return self.overlap / (count * (count - 1) / 2) if count > 1 else 0.0


class SlimSCState(msgspec.Struct):
    """What happened.

    Attributes:
        running: chains that run and are to run on.
        pruned: running chains that are to be taken back.
    """

    started: int = 0
    ended: int = 0
    ballot: Ballot = msgspec.field(default_factory=Ballot)
    running: dict[int, Chain] = msgspec.field(default_factory=dict)
    pruned: list[int] = msgspec.field(default_factory=list)


@ALGORITHMS.register
class SlimSC(Algorithm[SlimSCParams, SlimSCState]):
    """Samples chains from the same prompt; the knob is the number of chains.

    They all run side by side, for only running chains are compared: each new thought with the
    newest thoughts of every other chain, once. Where the most similar one reaches the threshold,
    one of the two chains is taken back. A chain that ends before that happens still votes.
    """

    name = "slim_sc"
    source = "Hong et al. 2025, arXiv 2509.13990"
    Params = SlimSCParams
    State = SlimSCState
    size = "max_branches"

    @property
    def stop_hint(self) -> StopHint:
        most = self.params.max_branches
        return StopHint(knob=most, thresholds={"entropy": 0.7}, wave=None, most=most)

    def demand(self) -> Iterator[WorkItem]:
        yield from map(Drop, list(self.state.pruned))
        measure = Measure(thoughts=True, sketches=True)
        for branch in range(self.state.started, self.params.max_branches):
            yield Generate(branch, measure=measure, follow=True)

    def observe(self, event: Event) -> None:
        state = self.state
        match event:
            case Started(branch):
                state.started = branch + 1
                state.running[branch] = Chain()
            case Grew(branch=branch, measured=measured) if measured is not None:
                sketches = [thought.sketch for thought in measured.thoughts if thought.sketch]
                self._think(branch, sketches)
            case Dropped(branch):
                self._forget(branch)
            case Finished(branch=branch):
                state.ended += 1
                self._forget(branch)
                # Sketches are worth nothing any more, and large.
                state.ballot.add(msgspec.structs.replace(event, measured=None))

    def certaindex(self) -> Certaindex:
        return self.state.ballot.certaindex(measured=self.state.ended)

    def answer(self) -> Best:
        return self.state.ballot.best()

    def _think(self, branch: int, thoughts: Sequence[bytes]) -> None:
        """Take in the thoughts that are new, until one of them costs the chain its life."""
        running = self.state.running
        known = len(running[branch].thoughts) if branch in running else 0
        for index in range(known, len(thoughts)):
            if branch not in running:
                return
            self._take(running[branch], thoughts[index])
            if index >= self.params.delay:
                self._compare(branch, index)

    def _forget(self, branch: int) -> None:
        self.state.running.pop(branch, None)
        if branch in self.state.pruned:
            self.state.pruned.remove(branch)

    def _take(self, chain: Chain, sketch: bytes) -> None:
        if self.params.prune == "diversity":
            chain.overlap += sum(similarity(sketch, other) for other in chain.thoughts)
        chain.thoughts.append(sketch)

    def _compare(self, branch: int, index: int) -> None:
        """Compare a chain's thought with those of the others; prune where it is one of theirs."""
        running, sketch = self.state.running, self.state.running[branch].thoughts[index]
        nearest = max(
            (
                (similarity(sketch, thought), other)
                for other, chain in running.items()
                if other != branch
                for thought in chain.thoughts[-self.params.recent :]
            ),
            default=(-1.0, branch),
        )
        left = len(running) + len(self.state.ballot.chains)
        if nearest[0] >= self.params.threshold and left > self.params.keep:
            loser = self._loser(branch, nearest[1], index)
            del running[loser]
            self.state.pruned.append(loser)

    def _loser(self, branch: int, other: int, index: int) -> int:
        if self.params.prune == "random":
            draw = Random(f"{self.params.seed}:{branch}:{index}")
            return draw.choice((branch, other))
        running = self.state.running
        return max(branch, other, key=lambda chain: running[chain].redundancy)
