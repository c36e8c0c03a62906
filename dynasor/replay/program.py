"""One question's program, run on its recorded samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dynasor.algorithms import ALGORITHMS, DEFAULT_ALGORITHM, Algorithm, StopHint
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.policies import Policy
from dynasor.replay.recording import Sample
from dynasor.value.episode import Episode, Family, Moment
from dynasor.value.values import ValueModels
from dynasor.work import Finished, Started

ALGORITHM = DEFAULT_ALGORITHM


@dataclass
class FixedMarket:
    """A market that stays as it is; satisfies `Market`."""

    price: float = 0.0
    room: int = 1
    idle: float = 1.0
    values: ValueModels = field(default_factory=ValueModels)


class Outcome(NamedTuple):
    """How a program ended: the key of its answer, the samples and tokens it took, and how many
    times it had to wait for them."""

    answer: str | None
    samples: int
    tokens: int
    rounds: int


class RecordedProgram:
    """Branches are recorded samples, in the order given; satisfies `ProgramView`."""

    def __init__(
        self,
        samples: Sequence[Sample],
        model: str,
        market: FixedMarket,
        max_disagreement: float | None = None,
    ) -> None:
        kind = ALGORITHMS.get(ALGORITHM, "algorithm")
        params = kind.Params.model_validate({"max_branches": len(samples)})
        self.algorithm: Algorithm[Any, Any] = kind(params)
        self.family = Family(model, ALGORITHM)
        self.max_disagreement = max_disagreement
        self.market = market
        self.started = 0
        self.generated = 0
        self._samples = samples

    @property
    def active(self) -> int:
        return 0

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    def certaindex(self) -> Certaindex:
        return self.algorithm.certaindex()

    @property
    def answer(self) -> str | None:
        """Key of its best answer."""
        best = self.algorithm.answer().answer
        return None if best is None else best.key

    def run(self, policy: Policy) -> Outcome:
        """Let it go on as far as the policy wants; what was granted is finished and paid."""
        rounds = 0
        while self.started < len(self._samples):
            allowance, stop = policy.verdict(self)
            if stop is not None:
                break
            most = len(self._samples)
            self.take(most if allowance is None else min(allowance, most))
            rounds += 1
        return Outcome(self.answer, self.started, self.generated, rounds)

    def take(self, number: int) -> None:
        """Go on until so many samples have been taken in all."""
        for branch in range(self.started, number):
            sample = self._samples[branch]
            said = None if sample.answer is None else Answer(sample.answer, sample.answer)
            self.algorithm.observe(Started(branch))
            self.algorithm.observe(Finished(branch, "stop", said, sample.tokens, sample.tokens))
            self.generated += sample.tokens
        self.started = max(self.started, number)

    def episode(self) -> Episode:
        """It run to its cap, as it is learned from."""
        self.take(len(self._samples))
        moment = Moment.of(self.certaindex(), self.generated, self.answer)
        hint = self.stop_hint
        return Episode(self.family, len(self._samples), hint.exchangeable, (moment,))
