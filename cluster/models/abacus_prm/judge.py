"""The exact judgement of a chain of thought: what the reward model learns to predict."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cluster.models.abacus.problems import Problem
from cluster.models.abacus.reasoner import CHECK_LINE, PROBE, THINK_END

NEWLINE = "\n"
BOX_END = "}"

_BOX = "\\boxed{"
_STEP = re.compile(r"\d+ [-+*] \d+ = (\d+)")
_BOXED = re.compile(r"(\d+)(})?(.*)", re.DOTALL)

_LINE_END = 1.0
_CHECK_END = 0.5
_CLOSING = 0.3
_UNENDED = 0.3
_ANSWER = 1.0


@dataclass(frozen=True)
class Piece:
    """A part of a response, and what is true after its last token.

    Pieces can be tokenized one by one.

    Attributes:
        right: whether the running value or the answer is right there; None: nothing to judge.
        weight: how much this judgement counts in training, 0 to 1; 0 where ``right`` is None.
        exact: what a faultless step from the value before it would be here; None: it is no step.
    """

    text: str
    right: bool | None = None
    weight: float = 0.0
    exact: str | None = None

    @property
    def ends_step(self) -> bool:
        """Whether it ends a line that is a step, or ought to be."""
        return self.text.endswith(NEWLINE) and self.weight == _LINE_END


def true_values(problem: Problem) -> list[int]:
    """Return the exact running value after each step of ``problem``."""
    values = []
    value = problem.start
    for step in problem.steps:
        value = step.apply(value)
        values.append(value)
    return values


def judge(problem: Problem, response: str) -> list[Piece]:
    """Cut ``response``, which starts right after ``<think>\\n``, into judged pieces.

    A line is right if the value it ends in is the exact running value of ``problem`` at its
    position in the pass, whatever stands before it. A check line, and the end of the thinking,
    are right if the answer that stands there is: the last complete pass's result or, before
    there is one, the running value. A boxed answer is right if it is the exact one. What is in
    no known form is wrong where a line ends, and not judged elsewhere.
    """
    thought, mark, closing = response.partition(THINK_END)
    *lines, rest = thought.split(NEWLINE)
    reading = _Reading(problem)
    pieces = [piece for line in lines for piece in reading.line(line)]
    if rest.startswith(PROBE):
        pieces += [Piece(PROBE), *_answer(problem, rest[len(PROBE) :])]
    elif rest:
        pieces += [Piece(rest)]
    if mark:
        pieces += [Piece(THINK_END, reading.answer_right, _CLOSING)]
        pieces += _closing(problem, closing, reading.answer_right)
    return pieces


@dataclass
class _Reading:
    """How far a chain of thought has come: lines of this pass, the answer that stands."""

    problem: Problem
    done: int = 0
    complete: bool = False
    standing: int | None = None
    before: int | None = None
    values: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self.values = true_values(self.problem)
        self.standing = self.before = self.problem.start

    @property
    def answer_right(self) -> bool:
        return self.standing == self.problem.answer

    def line(self, line: str) -> Iterator[Piece]:
        if line == CHECK_LINE:
            self.done = 0
            self.before = self.problem.start
            yield Piece(line + NEWLINE, self.answer_right, _CHECK_END)
            return
        step = _STEP.fullmatch(line)
        value = int(step[1]) if step else None
        right = self.done < len(self.values) and value == self.values[self.done]
        exact = self._exact_line()
        self.done += 1
        self.before = value
        pass_ends = self.done == len(self.values)
        if pass_ends or not self.complete:
            self.standing = value
        self.complete = self.complete or pass_ends
        if step:
            yield Piece(line, right, _UNENDED, exact)
            yield Piece(NEWLINE, right, _LINE_END, NEWLINE if line == exact else None)
        else:
            yield Piece(line + NEWLINE, False, _LINE_END)

    def _exact_line(self) -> str | None:
        if self.done >= len(self.values) or self.before is None:
            return None
        step = self.problem.steps[self.done]
        after = step.apply(self.before)
        return f"{self.before} {step.operator} {step.operand} = {after}"


def _closing(problem: Problem, text: str, standing_right: bool) -> Iterator[Piece]:
    before, box, inside = text.partition(_BOX)
    if before == NEWLINE:
        yield Piece(before, standing_right, _CLOSING)
    elif before:
        yield Piece(before)
    if box:
        yield Piece(box)
        yield from _answer(problem, inside)


def _answer(problem: Problem, text: str) -> Iterator[Piece]:
    boxed = _BOXED.fullmatch(text)
    if boxed is None:
        if text:
            yield Piece(text)
        return
    right = int(boxed[1]) == problem.answer
    yield Piece(boxed[1], right, _UNENDED)
    if boxed[2]:
        yield Piece(BOX_END, right, _ANSWER)
        if boxed[3]:
            yield Piece(boxed[3], right, _ANSWER)
    elif boxed[3]:
        yield Piece(boxed[3])
