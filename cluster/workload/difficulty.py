"""How hard a question is: the compute that it needs, relative to the others."""

from __future__ import annotations

from collections.abc import Sequence

from dynasor.replay.recording import Question

SAMPLED = 2000
"""Questions that tell the mean of all, at most: drawn ones cost time whenever they are looked at,
and there may be a million."""


class Difficulties:
    """Of the questions of a workload: a question's mean tokens per sample over the mean of that of
    all questions, so that an average question has 1. Of more than `SAMPLED` questions, evenly
    spaced ones stand for all."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions
        number = min(len(questions), SAMPLED)
        places = (place * len(questions) // number for place in range(number))
        self.mean_tokens = sum(_mean_tokens(questions[place]) for place in places) / number

    def of(self, place: int) -> float:
        """Of the question at a place; above 0, and 1 where no sample of any has tokens."""
        if not self.mean_tokens:
            return 1.0
        return max(1.0, _mean_tokens(self._questions[place])) / self.mean_tokens


def _mean_tokens(question: Question) -> float:
    return question.tokens / len(question.samples)
