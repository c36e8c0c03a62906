"""Recordings: questions whose chains were all sampled once and for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Annotated, Literal

import msgspec

Count = Annotated[int, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]

ROOT = -1
"""Parent of a search tree's first steps."""


class Sample(msgspec.Struct, frozen=True):
    """A chain: what it says (None: nothing found), whether that is right, its tokens.

    Attributes:
        confidence: mean probability of its tokens, exp(mean of their logarithms); None: not known.
        reward: a reward model's score of it in [0, 1]; None: not judged.
    """

    answer: str | None
    tokens: Count
    correct: bool
    confidence: Share | None = None
    reward: Share | None = None


class Probe(msgspec.Struct, frozen=True):
    """A trial answer in the middle of a long chain.

    Attributes:
        at: tokens of the chain before it.
        answer: what it said; None: nothing was found.
        tokens: of the probe itself, which are no tokens of the chain.
        confidence: mean probability of its tokens; None: not known.
    """

    at: Count
    answer: str | None
    tokens: Count = 0
    confidence: Share | None = None


class Chain(msgspec.Struct, frozen=True):
    """A long chain of thought, run to its end, with trial answers at its thoughts' ends."""

    tokens: Count
    answer: str | None
    correct: bool
    probes: tuple[Probe, ...] = ()


class Step(msgspec.Struct, frozen=True):
    """One step of a search tree.

    Attributes:
        parent: place of the step before it in the question's steps; ``ROOT``: it is a first one.
        tokens: of this step alone.
        reward: of the chain up to its end, in [0, 1]; None: not judged.
        finish: "step": the chain goes on after it; "stop", "length": it ends here.
        answer: of a chain that ends here; None: none was found, or it goes on.
    """

    parent: Annotated[int, msgspec.Meta(ge=ROOT)]
    tokens: Count
    reward: Share | None = None
    finish: Literal["step", "stop", "length"] = "step"
    answer: str | None = None
    correct: bool = False


class _Line(msgspec.Struct):
    samples: Annotated[tuple[Sample, ...], msgspec.Meta(min_length=1, max_length=256)]
    id: str | int = ""
    dataset: str = ""
    model: str = ""
    gold: str | int | float | None = None
    prompt: str = ""
    level: Count = 0
    prompt_tokens: Count = 0
    chains: tuple[Chain, ...] = ()
    steps: tuple[Step, ...] = ()


class Question(msgspec.Struct, frozen=True):
    """A question and all that a program on it could have seen.

    Attributes:
        gold: the right answer; None: not told.
        prompt: its text; "": not told.
        level: how hard it is, where its dataset says so; 0: it does not.
        prompt_tokens: of the prompt with the model's chat template; 0: not known.
        chains: long chains of thought.
        steps: one search tree, parents before their children.
    """

    samples: tuple[Sample, ...]
    model: str = ""
    id: str = ""
    dataset: str = ""
    gold: str | None = None
    prompt: str = ""
    level: int = 0
    prompt_tokens: int = 0
    chains: tuple[Chain, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def tokens(self) -> int:
        """Of all samples."""
        return sum(sample.tokens for sample in self.samples)


def parse(lines: Iterable[bytes | str]) -> list[Question]:
    """Questions, one a line of JSON; empty lines are skipped.

    Raises:
        ValueError: a line is no question; says which line and which field.
    """
    decoder = msgspec.json.Decoder(_Line, strict=False)
    questions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            questions.append(_question(decoder.decode(line)))
        except (msgspec.DecodeError, ValueError) as error:
            raise ValueError(f"line {number}: {error}") from None
    if not questions:
        raise ValueError("there is no question in it")
    return questions


def shuffled(question: Question, place: int, seed: int) -> Sequence[Sample]:
    """Its samples in a random order, the same for equal arguments."""
    samples = list(question.samples)
    Random(f"replay:{seed}:{place}").shuffle(samples)
    return samples


def halves(number: int, seed: int) -> tuple[list[int], list[int]]:
    """Places of ``number`` questions in two random halves."""
    places = list(range(number))
    Random(f"halves:{seed}").shuffle(places)
    return sorted(places[: number // 2]), sorted(places[number // 2 :])


def _question(line: _Line) -> Question:
    """Raises ValueError: its steps are no tree, or a chain's probes are not within it."""
    for place, step in enumerate(line.steps):
        field = f"$.steps[{place}].parent"
        if step.parent >= place:
            raise ValueError(f"a step's parent must be {ROOT} or come before it - at `{field}`")
        if step.parent != ROOT and line.steps[step.parent].finish != "step":
            raise ValueError(f"nothing can follow a step that ends its chain - at `{field}`")
    for place, chain in enumerate(line.chains):
        field = f"$.chains[{place}].probes"
        at = [probe.at for probe in chain.probes]
        if at != sorted(at) or (at and at[-1] > chain.tokens):
            raise ValueError(f"probes must be in order and within the chain - at `{field}`")
    return Question(
        samples=line.samples,
        model=line.model,
        id=str(line.id),
        dataset=line.dataset,
        gold=None if line.gold is None else str(line.gold),
        prompt=line.prompt,
        level=line.level,
        prompt_tokens=line.prompt_tokens,
        chains=line.chains,
        steps=line.steps,
    )
