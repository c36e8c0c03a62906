"""A recording's questions under a policy, against the answers of the full budget."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from dynasor.policies import Policy
from dynasor.replay.program import FixedMarket, Outcome, RecordedProgram
from dynasor.replay.recording import Question, Sample, halves, shuffled


class Terms(NamedTuple):
    """What the programs run under.

    Attributes:
        price: improvement of the answer that a token must buy.
        room: branches that may start at once without making anybody wait; 1: waves are only as
            wide as wastes nothing.
    """

    max_disagreement: float | None = None
    price: float = 0.0
    room: int = 1


class Trial(NamedTuple):
    """A question in one order of its samples.

    Attributes:
        question: its place in the recording.
        correct, correct_full: of its answer, and of the majority of all samples in that order.
        changed: the two answers differ.
        tokens_full: of all its samples.
    """

    question: int
    correct: bool
    correct_full: bool
    changed: bool
    samples: int
    rounds: int
    tokens: int
    tokens_full: int


class Row(NamedTuple):
    """Means over trials, as fractions; errors are standard errors over questions."""

    questions: int
    seeds: int
    accuracy: float
    accuracy_full: float
    difference_error: float
    disagreement: float
    disagreement_error: float
    tokens_ratio: float
    samples: float
    rounds: float


def replay(questions: Sequence[Question], policy: Policy, seed: int, terms: Terms) -> list[Trial]:
    """Every question once, in an order that the seed gives.

    The value models learn from one half of the questions and the other half is run, both ways;
    a policy that doesn't learn runs on the same halves.
    """
    trials = []
    for test, train in _both_ways(halves(len(questions), seed)):
        market = FixedMarket(terms.price, terms.room)
        for place in train if policy.learns else ():
            samples = shuffled(questions[place], place, seed)
            market.values.learn(RecordedProgram(samples, questions[place].model, market).episode())
        for place in test:
            samples = shuffled(questions[place], place, seed)
            model = questions[place].model
            program = RecordedProgram(samples, model, market, terms.max_disagreement)
            outcome = program.run(policy)
            program.take(len(samples))
            full = Outcome(program.answer, program.started, program.generated, 1)
            trials.append(_trial(place, samples, outcome, full))
    return trials


def summarized(trials: Sequence[Trial], seeds: int) -> Row:
    """What the trials show together."""
    number = len(trials)
    questions = len({trial.question for trial in trials})
    return Row(
        questions=questions,
        seeds=seeds,
        accuracy=sum(trial.correct for trial in trials) / number,
        accuracy_full=sum(trial.correct_full for trial in trials) / number,
        difference_error=_error(trials, [t.correct - t.correct_full for t in trials]),
        disagreement=sum(trial.changed for trial in trials) / number,
        disagreement_error=_error(trials, [float(trial.changed) for trial in trials]),
        tokens_ratio=sum(t.tokens for t in trials) / max(1, sum(t.tokens_full for t in trials)),
        samples=sum(trial.samples for trial in trials) / number,
        rounds=sum(trial.rounds for trial in trials) / number,
    )


def geometric_mean(ratios: Sequence[float]) -> float:
    """Of numbers above 0; 0 if one is 0."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios)) if all(ratios) else 0.0


def _both_ways(pair: tuple[list[int], list[int]]) -> list[tuple[list[int], list[int]]]:
    return [pair, (pair[1], pair[0])]


def _trial(place: int, samples: Sequence[Sample], outcome: Outcome, full: Outcome) -> Trial:
    return Trial(
        question=place,
        correct=_correct(samples, outcome.answer),
        correct_full=_correct(samples, full.answer),
        changed=outcome.answer != full.answer,
        samples=outcome.samples,
        rounds=outcome.rounds,
        tokens=outcome.tokens,
        tokens_full=full.tokens,
    )


def _correct(samples: Sequence[Sample], answer: str | None) -> bool:
    """Of the first sample that says it: equal answers may have been judged differently."""
    if answer is None:
        return False
    return next(sample.correct for sample in samples if sample.answer == answer)


def _error(trials: Sequence[Trial], values: Sequence[float]) -> float:
    """Standard error of the mean; orders of one question are no independent trials."""
    of: dict[int, list[float]] = {}
    for trial, value in zip(trials, values, strict=True):
        of.setdefault(trial.question, []).append(value)
    means = [sum(group) / len(group) for group in of.values()]
    if len(means) < 2:
        return 0.0
    mean = sum(means) / len(means)
    return math.sqrt(sum((m - mean) ** 2 for m in means) / (len(means) - 1) / len(means))
