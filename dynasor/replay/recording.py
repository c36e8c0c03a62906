"""Recorded samples: questions whose chains were all sampled once and for all."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random
from typing import Annotated

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """A chain: what it says (None: nothing found), whether that is right, its tokens."""

    answer: str | None
    tokens: Annotated[int, msgspec.Meta(ge=0)]
    correct: bool


class _Line(msgspec.Struct):
    samples: Annotated[list[Sample], msgspec.Meta(min_length=1, max_length=256)]
    dataset: str = ""
    model: str = ""


class Question(msgspec.Struct, frozen=True):
    """A question's samples; all that a program on it could have seen."""

    samples: tuple[Sample, ...]
    model: str

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
            read = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"line {number}: {error}") from None
        questions.append(Question(tuple(read.samples), read.model))
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
