"""How hard a question is: the compute that it needs, relative to the others."""

from __future__ import annotations

from collections.abc import Sequence

from dynasor.replay.recording import Question


class Difficulties:
    """Of the questions of a workload: a question's mean tokens per sample over the mean of that of
    all questions, so that an average question has 1."""

    def __init__(self, questions: Sequence[Question]) -> None:
        self._questions = questions
        means = [_mean_tokens(question) for question in questions]
        self.mean_tokens = sum(means) / len(means)

    def of(self, place: int) -> float:
        """Of the question at a place; above 0, and 1 where no sample of any has tokens."""
        if not self.mean_tokens:
            return 1.0
        return max(1.0, _mean_tokens(self._questions[place])) / self.mean_tokens


def _mean_tokens(question: Question) -> float:
    return question.tokens / len(question.samples)
