"""Responses for training: the careless reasoner's, with more mistakes and other ones.

Abacus slips seldom, and always in the same ways. Here about half of the lines are wrong, and some
are wrong as abacus never writes them, for a reward model has to judge whatever it is shown.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from cluster.models.abacus.problems import MAX_VALUE, TRAINED_LEVELS, Problem, Step, make_problem
from cluster.models.abacus.reasoner import (
    CHECK_LINE,
    CLOSING,
    PROBE,
    THINK_HARD,
    Pass,
    best_answer,
    chain_lines,
    think,
)
from cluster.models.abacus.tokenizer import END
from cluster.models.abacus_prm.judge import BOX_END, NEWLINE, true_values

HIGHEST_LEVEL = 12
"""Levels beyond abacus' own are drawn too, but less often: abacus gives wrong answers there."""

_HIGH_LEVEL_WEIGHT = 0.2
_HARD_SHARE = 0.16
_CUT_SHARE = 0.2
_PROBE_SHARE = 0.1
_OTHER_ANSWER_SHARE = 0.06
_GARBLE_SHARE = 0.04
_SPOIL_SHARE = 0.3
_REPEAT_SHARE = 0.5
_REJOIN_SHARE = 0.04
_MISREAD_SHARE = 0.06
_SLIPS = (-10, -2, -1, 1, 2, 10)
_USUAL_SLIP_SHARE = 0.75
_LARGEST = 2 * MAX_VALUE
_SPOIL_TRIES = 8
_STARTS = (2, 60)


@dataclass(frozen=True)
class Document:
    """A problem with a response to it, which starts right after ``<think>\\n``."""

    problem: Problem
    system: str | None
    response: str


def make_document(rng: random.Random, highest_level: int = HIGHEST_LEVEL) -> Document:
    """Draw a problem of up to ``highest_level`` steps and a response to it, whole or cut."""
    levels = range(1, highest_level + 1)
    weights = [1.0 if level in TRAINED_LEVELS else _HIGH_LEVEL_WEIGHT for level in levels]
    problem = make_problem(rng.choices(levels, weights)[0], rng)
    hard = rng.random() < _HARD_SHARE
    lines = _lines(problem, think(problem, hard, rng), rng)
    if rng.random() < _CUT_SHARE:
        lines = lines[: rng.randint(0, len(lines))]
    opening = PROBE if rng.random() < _PROBE_SHARE else CLOSING
    answer = best_answer(problem, lines)
    if rng.random() < _OTHER_ANSWER_SHARE:
        others = [problem.answer, answer + rng.choice(_SLIPS), rng.randint(0, MAX_VALUE)]
        answer = abs(rng.choice(others))
    if lines and rng.random() < _GARBLE_SHARE:
        lines = _garble(lines, rng)
    thought = "".join(f"{line}{NEWLINE}" for line in lines)
    response = f"{thought}{opening}{answer}{BOX_END}{END}"
    return Document(problem, THINK_HARD if hard else None, response)


def _lines(problem: Problem, passes: list[Pass], rng: random.Random) -> list[str]:
    lines: list[str] = []
    spoiled: Pass | None = None
    for number, walk in enumerate(passes):
        if spoiled is None or rng.random() >= _REPEAT_SHARE:
            spoiled = _spoil(problem, walk, rng) if rng.random() < _SPOIL_SHARE else None
        lines += [CHECK_LINE] if number else []
        if rng.random() < _MISREAD_SHARE:
            read = _misread(problem, rng)
            lines += chain_lines(read, [_exact(read)])
        else:
            lines += chain_lines(problem, [spoiled or walk])
    return lines


def _spoil(problem: Problem, walk: Pass, rng: random.Random) -> Pass:
    """Return ``walk`` with one more slip, of the reasoner's sizes or any other."""
    index = rng.randrange(len(walk.values))
    before = walk.values[index - 1] if index else problem.start
    right = problem.steps[index].apply(before)
    for _ in range(_SPOIL_TRIES):
        usual = rng.random() < _USUAL_SLIP_SHARE
        values = list(walk.values[:index])
        values.append(right + rng.choice(_SLIPS) if usual else rng.randint(0, MAX_VALUE))
        for step in problem.steps[index + 1 :]:
            values.append(step.apply(values[-1]))
        if _in_range(values):
            return _rejoin(problem, Pass(tuple(values)), index, rng)
    return walk


def _rejoin(problem: Problem, walk: Pass, slip: int, rng: random.Random) -> Pass:
    """Return ``walk`` back at the exact value some lines after its slip, seldom."""
    if rng.random() >= _REJOIN_SHARE or slip + 1 >= len(walk.values):
        return walk
    back = rng.randrange(slip + 1, len(walk.values))
    return Pass((*walk.values[:back], *true_values(problem)[back:]))


def _misread(problem: Problem, rng: random.Random) -> Problem:
    """Return ``problem`` with a step changed, left out or doubled, or another start."""
    start, steps = problem.start, list(problem.steps)
    index = rng.randrange(len(steps))
    step = steps[index]
    match rng.choice(("operator", "operand", "left out", "doubled", "start")):
        case "operator":
            steps[index] = Step(rng.choice("+-*"), step.operand)
        case "operand":
            steps[index] = Step(step.operator, max(1, step.operand + rng.choice(_SLIPS)))
        case "left out" if len(steps) > 1:
            del steps[index]
        case "doubled":
            steps.insert(index, step)
        case _:
            start = rng.randint(*_STARTS)
    read = replace(problem, start=start, steps=tuple(steps))
    return read if _in_range(true_values(read)) else problem


def _garble(lines: list[str], rng: random.Random) -> list[str]:
    """Return ``lines`` with one of them left out, doubled, cut, or a character short."""
    index = rng.randrange(len(lines))
    line = lines[index]
    cut = rng.randrange(len(line))
    instead = rng.choice([[], [line, line], [line[:cut] + line[cut + 1 :]], [line[:cut]]])
    return [*lines[:index], *instead, *lines[index + 1 :]]


def _exact(problem: Problem) -> Pass:
    return Pass(tuple(true_values(problem)))


def _in_range(values: list[int]) -> bool:
    return min(values) >= 0 and max(values) <= _LARGEST
