"""The careless reasoner whose thinking abacus imitates, and the training documents made of it.

A chain of thought works through the problem once, then often again ("Wait, let me check
again."), each time line by line. Any line may slip; a check sometimes follows an earlier slip
and sometimes repairs it. The answer is always the result of the last complete pass.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from cluster.models.abacus.problems import MAX_VALUE, TRAINED_LEVELS, Problem, Step, make_problem

CHECK_LINE = "Wait, let me check again."
THINK_HARD = "Think hard."
PROBE = "**Final Answer** \\boxed{"
"""Append this to a chain that was cut after a newline; the model continues with its answer."""

THINK_END = "</think>"
CLOSING = THINK_END + "\n\\boxed{"
"""Ends the thinking by force after a newline; the model continues with its answer."""

_SLIP_RATES = {"+": 0.035, "-": 0.055, "*": 0.13}
_FATIGUE = 0.05
_SLIPS = (-10, -2, -1, 1, 2, 10)
_HARD_SHARE = 0.14
_PROBE_SHARE = 0.28
_CLOSING_SHARE = 0.25
_LONG_PASSES = (4, 8)


@dataclass(frozen=True)
class Pass:
    """One walk through a problem: ``values[i]`` is the running value after step ``i``."""

    values: tuple[int, ...]

    @property
    def result(self) -> int:
        """The running value after the last step."""
        return self.values[-1]


@dataclass(frozen=True)
class Document:
    """A training text: ``segments`` are (text, loss weight), to be tokenized one by one."""

    system: str | None
    question: str
    segments: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class _Care:
    """How a pass is done: factor on the slip rates, chance to follow an earlier slip."""

    slip_factor: float
    follow: float


_FIRST = _Care(1.5, 0.0)
_CHECK = _Care(0.8, 0.35)
_CAREFUL = _Care(0.4, 0.15)
_SETTLED = _Care(0.02, 0.7)


def think(problem: Problem, hard: bool, rng: random.Random) -> list[Pass]:
    """Return the passes of one chain; ``hard`` makes it 4 to 8 passes instead of 1 to 3."""
    passes = [_walk(problem, None, _FIRST, rng)]
    planned = rng.randint(*_LONG_PASSES) if hard else 0
    while len(passes) < planned or (not hard and _checks_again(passes, rng)):
        passes.append(_walk(problem, passes[-1], _care(passes), rng))
    return passes


def chain_lines(problem: Problem, passes: list[Pass]) -> list[str]:
    """Return the lines of a chain of thought, without newlines."""
    lines: list[str] = []
    for number, walk in enumerate(passes):
        if number:
            lines.append(CHECK_LINE)
        before = problem.start
        for step, after in zip(problem.steps, walk.values, strict=True):
            lines.append(f"{before} {step.operator} {step.operand} = {after}")
            before = after
    return lines


def best_answer(problem: Problem, lines: list[str]) -> int:
    """Return the current best answer of a chain of thought cut after ``lines``.

    That is the result of the last complete pass or, before there is one, the running value.
    Lines that are no step are skipped. Raises ValueError if a step ends in no number.
    """
    best = problem.start
    done = 0
    complete = False
    for line in lines:
        if line == CHECK_LINE:
            done = 0
        elif " = " in line:
            done += 1
            if not complete or done == problem.level:
                best = int(line.rpartition(" = ")[2])
            complete = complete or done == problem.level
    return best


def make_document(rng: random.Random) -> Document:
    """Draw a problem and a chain for it, whole or cut at a random line and probed."""
    problem = make_problem(rng.choice(TRAINED_LEVELS), rng)
    hard = rng.random() < _HARD_SHARE
    lines = chain_lines(problem, think(problem, hard, rng))
    system = THINK_HARD if hard else None
    if rng.random() >= _PROBE_SHARE:
        whole = "".join(f"{line}\n" for line in lines)
        answer = best_answer(problem, lines)
        return Document(system, problem.text, ((f"{whole}{CLOSING}{answer}}}", 1.0),))
    kept = lines[: rng.randint(0, len(lines))]
    # The model must not learn to stop thinking here by itself, hence no loss on the probe.
    probe = CLOSING if rng.random() < _CLOSING_SHARE else PROBE
    thought = "".join(f"{line}\n" for line in kept)
    answer = best_answer(problem, kept)
    return Document(system, problem.text, ((thought, 1.0), (probe, 0.0), (f"{answer}}}", 1.0)))


def _checks_again(passes: list[Pass], rng: random.Random) -> bool:
    if len(passes) == 1:
        return rng.random() < 0.5
    if len(passes) == 2:
        agree = passes[0].result == passes[1].result
        return rng.random() < (0.3 if agree else 0.7)
    return False


def _care(passes: list[Pass]) -> _Care:
    if len(passes) == 1:
        return _CHECK
    return _SETTLED if passes[-1].result == passes[-2].result else _CAREFUL


def _walk(problem: Problem, earlier: Pass | None, care: _Care, rng: random.Random) -> Pass:
    values: list[int] = []
    value = problem.start
    for index, step in enumerate(problem.steps):
        right = step.apply(value)
        value_after = right
        if _follows_slip(problem, earlier, index, value) and rng.random() < care.follow:
            assert earlier is not None
            value_after = earlier.values[index]
        elif rng.random() < _slip_rate(step, index, care):
            value_after = _slip(right, problem.steps[index + 1 :], rng)
        values.append(value_after)
        value = value_after
    return Pass(tuple(values))


def _slip_rate(step: Step, index: int, care: _Care) -> float:
    return care.slip_factor * _SLIP_RATES[step.operator] * (1 + _FATIGUE * index)


def _follows_slip(problem: Problem, earlier: Pass | None, index: int, value: int) -> bool:
    if earlier is None:
        return False
    before = earlier.values[index - 1] if index else problem.start
    return before == value and earlier.values[index] != problem.steps[index].apply(value)


def _slip(right: int, rest: tuple[Step, ...], rng: random.Random) -> int:
    """Return a wrong value from which ``rest`` stays in range, or ``right`` if there is none."""
    wrong = [right + slip for slip in _SLIPS if _stays_in_range(right + slip, rest)]
    return rng.choice(wrong) if wrong else right


def _stays_in_range(value: int, steps: tuple[Step, ...]) -> bool:
    for step in (*steps, Step("+", 0)):
        if not 0 <= value <= MAX_VALUE:
            return False
        value = step.apply(value)
    return True
