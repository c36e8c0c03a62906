"""Questions that are drawn, not recorded: a model of how hard they are and what chains say."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from random import Random
from typing import overload

from pydantic import BaseModel, ConfigDict, Field

from dynasor.replay.recording import ROOT, Chain, Probe, Question, Sample, Step

RIGHT = "0"
"""The right answer of every question; wrong ones are "1", "2", … from the most tempting on."""

KEPT = 4096
"""Questions that are held; others are drawn anew when they are looked at."""


class Parametric(BaseModel):
    """Parameters of questions. Chains of a question are independent of each other.

    The chance that a chain is right is drawn from Beta(``alpha``, ``beta``) for each question; a
    wrong chain says the k-th most tempting answer with a chance that falls as k ** -``zipf``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    questions: int = Field(1000, ge=1, le=1_000_000)
    samples: int = Field(48, ge=1, le=256, description="chains of each question")
    alpha: float = Field(1.5, gt=0)
    beta: float = Field(0.8, gt=0)
    wrong_answers: int = Field(20, ge=1, le=1000, description="of each question, different ones")
    zipf: float = Field(1.2, ge=0)
    abstain: float = Field(0.02, ge=0, lt=1, description="share of chains without an answer")
    prompt_tokens: int = Field(128, ge=1)
    tokens: float = Field(256.0, ge=1, description="median of a chain on an average question")
    sigma: float = Field(0.4, ge=0, le=3, description="of the logarithm of chains' tokens")
    hardness: float = Field(
        1.0, ge=0, le=5, description="log of how much longer chains on a hopeless question are"
    )
    signal: float = Field(
        1.0, ge=0, description="standard deviations between the scores of right and wrong chains"
    )
    chains: int = Field(4, ge=0, le=64, description="long chains of each question")
    chain_factor: float = Field(4.0, gt=0, description="their length over that of samples")
    thought_tokens: int = Field(64, ge=1, description="between two trial answers")
    probe_tokens: int = Field(16, ge=1)
    steps: int = Field(48, ge=0, le=1024, description="of each question's search tree")
    step_tokens: int = Field(32, ge=1)
    seed: int = Field(0, ge=0)

    def read(self) -> DrawnQuestions:
        """The questions."""
        return DrawnQuestions(self)


class DrawnQuestions(Sequence[Question]):
    """Questions of a parametric model, drawn when they are looked at; equal parameters, equal
    questions."""

    def __init__(self, model: Parametric) -> None:
        self._model = model
        self._at = lru_cache(KEPT)(self._draw)

    def __len__(self) -> int:
        return self._model.questions

    @overload
    def __getitem__(self, place: int) -> Question: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Question]: ...
    def __getitem__(self, place: int | slice) -> Question | Sequence[Question]:
        places = range(len(self))[place]
        return self._at(places) if isinstance(places, int) else [self._at(one) for one in places]

    def _draw(self, place: int) -> Question:
        return _Draw(self._model, place).question()


class _Draw:
    """One question being drawn."""

    def __init__(self, model: Parametric, place: int) -> None:
        self.model = model
        self.place = place
        self.rng = Random(f"parametric:{model.seed}:{place}")
        self.right = self.rng.betavariate(model.alpha, model.beta)
        mean = model.alpha / (model.alpha + model.beta)
        self.median = model.tokens * math.exp(model.hardness * (mean - self.right))
        self.weights = list(accumulate(k**-model.zipf for k in range(1, model.wrong_answers + 1)))

    def question(self) -> Question:
        model = self.model
        return Question(
            samples=tuple(self._sample() for _ in range(model.samples)),
            model="parametric",
            id=f"parametric-{self.place}",
            dataset="parametric",
            gold=RIGHT,
            prompt_tokens=model.prompt_tokens,
            chains=tuple(self._chain() for _ in range(model.chains)),
            steps=self._tree(),
        )

    def _sample(self) -> Sample:
        answer = self._answer()
        tokens = self._tokens(self.median)
        right = answer == RIGHT
        return Sample(answer, tokens, right, self._score(right), self._score(right))

    def _chain(self) -> Chain:
        """Its trial answers are guesses until it has found its answer; then they say it."""
        tokens = self._tokens(self.model.chain_factor * self.median)
        answer = self._answer()
        found = tokens * self.rng.betavariate(2, 2)
        probes = []
        for at in range(self.model.thought_tokens, tokens, self.model.thought_tokens):
            said = answer if at >= found else self._answer()
            score = self._score(at >= found)
            probes.append(Probe(at, said, self.model.probe_tokens, score))
        return Chain(tokens, answer, answer == RIGHT, tuple(probes))

    def _tree(self) -> tuple[Step, ...]:
        """Levels of equal width; a step's parent is any one of the level before. A chain that has
        gone wrong stays wrong."""
        model, rng = self.model, self.rng
        if not model.steps:
            return ()
        depth = max(1, min(model.steps, round(self.median / model.step_tokens)))
        width = model.steps // depth
        goes_on_right = self.right ** (1 / depth)
        steps: list[Step] = []
        right: list[bool] = []
        for level in range(depth):
            before = range(len(steps) - width, len(steps))
            for _ in range(width):
                parent = rng.choice(before) if level else ROOT
                good = (not level or right[parent]) and rng.random() < goes_on_right
                steps.append(self._step(parent, good, level == depth - 1))
                right.append(good)
        return tuple(steps)

    def _step(self, parent: int, good: bool, last: bool) -> Step:
        tokens = self._tokens(self.model.step_tokens)
        if not last:
            return Step(parent, tokens, self._score(good))
        answer = RIGHT if good else self._wrong()
        return Step(parent, tokens, self._score(good), "stop", answer, good)

    def _answer(self) -> str | None:
        if self.rng.random() < self.model.abstain:
            return None
        return RIGHT if self.rng.random() < self.right else self._wrong()

    def _wrong(self) -> str:
        rank = self.rng.choices(range(len(self.weights)), cum_weights=self.weights)[0]
        return str(1 + rank)

    def _tokens(self, median: float) -> int:
        return max(1, round(median * self.rng.lognormvariate(0.0, self.model.sigma)))

    def _score(self, good: bool) -> float:
        """In [0, 1]: higher, on average, for what is good."""
        middle = self.model.signal / 2
        return 1 / (1 + math.exp(-self.rng.gauss(middle if good else -middle, 1.0)))
