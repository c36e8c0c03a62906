"""A long chain that is asked for its answer while it thinks; what its probes share."""

from __future__ import annotations

from abc import abstractmethod
from bisect import insort
from collections.abc import Iterator
from itertools import takewhile
from typing import ClassVar, TypeVar

import msgspec
from pydantic import Field

from dynasor.algorithms.base import Algorithm, Best
from dynasor.algorithms.thinking import Chain, ThinkingParams
from dynasor.algorithms.votes import SAME_MEANING, Ballot
from dynasor.answers.answer import Answer
from dynasor.answers.sketch import similarity
from dynasor.certaindex import Certaindex
from dynasor.work import Drop, Dropped, Event, Finished, Generate, Grew, Measure, Started, WorkItem


class ProbingParams(ThinkingParams):
    """Parameters of every algorithm that probes its chain."""

    probe_tokens: int = Field(20, ge=1, le=4096, description="most tokens of a probe")


class ProbingState(msgspec.Struct):
    """The chain and its probes.

    Attributes:
        branches: branches that were started, of the chain and of probes.
        due: newest position of the chain that is worth a probe, in tokens; 0: none yet.
        probed: newest position that was probed.
        running: probes that run and were not taken back.
        ended: probes that have ended, whatever came of them.
        answered: those that count, in the order of their positions.
    """

    chain: Chain = msgspec.field(default_factory=Chain)
    branches: int = 0
    due: int = 0
    probed: int = 0
    running: list[int] = msgspec.field(default_factory=list)
    ended: int = 0
    answered: list[Finished] = msgspec.field(default_factory=list)


P = TypeVar("P", bound=ProbingParams)


class ProbedChain(Algorithm[P, ProbingState]):
    """One chain; beside it, at positions that the subclass chooses, probes that share its prefix.

    The knob is the number of probes; the chain needs no grant and never waits for one. A position
    that was passed while a newer one is due is not probed any more. The newest probe's answer is
    the answer until the chain has one of its own, which ends it and leaves nothing to doubt.
    """

    State = ProbingState
    size = "max_thinking_tokens"
    signal: ClassVar[str]
    """What the certaindex of the probes is called."""

    @property
    @abstractmethod
    def probe_measure(self) -> Measure:
        """What is measured of the probes."""

    @property
    @abstractmethod
    def chain_measure(self) -> Measure | None:
        """What is measured of the chain itself."""

    @property
    @abstractmethod
    def probe_temperature(self) -> float | None:
        """Of the probes' sampling; None: the query's."""

    @abstractmethod
    def newest_due(self, event: Grew) -> int:
        """The newest position worth a probe, in tokens; at most what the chain has."""

    @abstractmethod
    def counts(self, probe: Finished) -> bool:
        """Whether the answer of a probe is to be believed."""

    @abstractmethod
    def sureness(self, answered: list[Finished]) -> float:
        """How sure the probes are, in [0, 1]. ``answered``: those that count, at least one."""

    def evidence(self) -> list[Finished]:
        """The probes whose answers stand behind the certaindex."""
        return self.state.answered

    def demand(self) -> Iterator[WorkItem]:
        state = self.state
        if state.chain.final is not None:
            yield from map(Drop, state.running)
        elif (piece := self._piece()) is not None:
            yield piece
        elif state.chain.thinking and state.due > state.probed:
            yield Generate(
                state.branches,
                kind="probe",
                parent=state.chain.pieces[0],
                at=state.due,
                inject="probe",
                until=("box",),
                max_tokens=self.params.probe_tokens,
                temperature=self.probe_temperature,
                measure=self.probe_measure,
            )

    def observe(self, event: Event) -> None:
        state = self.state
        match event:
            case Started(branch):
                self._start(branch)
            case Grew() if state.chain.thinking:
                state.due = self.newest_due(event)
            case Dropped(branch):
                state.running.remove(branch)
            case Finished(branch=branch) if branch in state.chain.pieces:
                state.chain.finish(event)
            case Finished():
                self._finish(event)

    def certaindex(self) -> Certaindex:
        state = self.state
        sure = self.sureness(state.answered) if state.answered else 0.0
        ballot = Ballot()
        for probe in self.evidence():
            ballot.add(probe)
        return Certaindex(
            signals={self.signal: 1.0 if state.chain.final is not None else sure},
            measured=state.ended,
            votes=ballot.votes(),
            streak=streak(answers(state.answered)),
        )

    def answer(self) -> Best:
        chain = self.state.chain
        if chain.final is not None or not self.state.answered:
            return chain.best()
        return Best(self.state.answered[-1].answer, chain.shown)

    def _piece(self) -> Generate | None:
        state = self.state
        if state.chain.pieces:
            return state.chain.conclusion(state.branches, self.params)
        return Generate(
            state.branches,
            units=0,
            until=("think_end",),
            max_tokens=self.params.max_thinking_tokens,
            reserve=self.params.answer_tokens,
            measure=self.chain_measure,
            follow=True,
            show=True,
        )

    def _start(self, branch: int) -> None:
        state = self.state
        piece = self._piece()
        if piece is not None:
            state.chain.begin(piece)
        else:
            state.running.append(branch)
            state.probed = state.due
        state.branches = branch + 1

    def _finish(self, probe: Finished) -> None:
        state = self.state
        state.ended += 1
        if probe.branch in state.running:
            state.running.remove(probe.branch)
        if probe.answer is not None and self.counts(probe):
            # Probes may end in another order than they began; a later one has read more.
            insort(state.answered, probe, key=lambda known: known.branch)


def answers(probes: list[Finished]) -> list[Answer]:
    """What they say."""
    return [probe.answer for probe in probes if probe.answer is not None]


def same(one: Answer, other: Answer) -> bool:
    """Whether two answers agree, as in a ballot."""
    if one.key == other.key:
        return True
    if one.sketch is None or other.sketch is None:
        return False
    return similarity(one.sketch, other.sketch) >= SAME_MEANING


def streak(said: list[Answer]) -> int:
    """How many of the newest in a row agree with the newest."""
    return sum(1 for _ in takewhile(lambda answer: same(answer, said[-1]), reversed(said)))
