"""Arithmetic word problems of graded length, the task that abacus was trained on.

Pure Python on purpose: benchmarks and tests import it without torch, vLLM or Ray.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

MAX_VALUE = 99
"""Every intermediate result of a problem lies in 0..MAX_VALUE."""

TRAINED_LEVELS = range(1, 9)
"""Levels that occur in the training data; longer problems are beyond the model."""

_MAX_ADDEND = 49
_MAX_FACTOR = 9
_FACTOR_SHARE = 0.4
_OPENINGS = ("Start with", "Begin with", "Take")
_OPENING_WEIGHTS = (8, 1, 1)
_QUESTIONS = ("What is the result?", "What do you get?")
_QUESTION_WEIGHTS = (8, 2)
_VERBS = {"+": "Add", "-": "Subtract", "*": "Multiply by"}


@dataclass(frozen=True)
class Step:
    """One operation of a problem: ``operator`` is ``+``, ``-`` or ``*``."""

    operator: str
    operand: int

    def apply(self, value: int) -> int:
        """Return the exact result of this step on ``value``; it may leave 0..MAX_VALUE."""
        if self.operator == "+":
            return value + self.operand
        if self.operator == "-":
            return value - self.operand
        return value * self.operand


@dataclass(frozen=True)
class Problem:
    """A question with its exact answer.

    ``level`` is the number of steps; ``start`` and ``steps`` are what ``text`` says in words.
    """

    text: str
    answer: int
    level: int
    start: int
    steps: tuple[Step, ...]


def make_problem(level: int, rng: random.Random) -> Problem:
    """Draw one problem of ``level`` steps from ``rng``.

    Raises ValueError if ``level`` is below 1.
    """
    if level < 1:
        raise ValueError(f"a problem needs at least one step, got level {level}")
    start = value = rng.randint(2, 60)
    steps = []
    for _ in range(level):
        step = _draw_step(value, rng)
        value = step.apply(value)
        steps.append(step)
    return Problem(_in_words(start, steps, rng), value, level, start, tuple(steps))


def make_problems(level: int, count: int, seed: int) -> list[Problem]:
    """Return ``count`` problems of ``level`` steps; the same arguments give the same problems.

    Raises ValueError if ``level`` is below 1.
    """
    rng = random.Random(f"abacus:{level}:{seed}")
    return [make_problem(level, rng) for _ in range(count)]


def _draw_step(value: int, rng: random.Random) -> Step:
    if 2 <= value <= MAX_VALUE // 2 and rng.random() < _FACTOR_SHARE:
        return Step("*", rng.randint(2, min(_MAX_FACTOR, MAX_VALUE // value)))
    if value == MAX_VALUE or (value >= 2 and rng.random() < 0.5):
        # At least 1 is left over, since a running value of 0 would make later products trivial.
        return Step("-", rng.randint(1, min(_MAX_ADDEND, value - 1)))
    return Step("+", rng.randint(1, min(_MAX_ADDEND, MAX_VALUE - value)))


def _in_words(start: int, steps: list[Step], rng: random.Random) -> str:
    opening = rng.choices(_OPENINGS, _OPENING_WEIGHTS)[0]
    question = rng.choices(_QUESTIONS, _QUESTION_WEIGHTS)[0]
    orders = " ".join(f"{_VERBS[step.operator]} {step.operand}." for step in steps)
    return f"{opening} {start}. {orders} {question}"
