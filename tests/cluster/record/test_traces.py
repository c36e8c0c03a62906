"""The recording that ships."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from cluster.record.output import companion, totals
from cluster.record.questions import drawn
from cluster.workload.files import read_recording
from dynasor.replay.recording import Question

RECORDING = Path(__file__).parents[3] / "traces" / "abacus.jsonl.gz"


@pytest.fixture(scope="module")
def questions() -> list[Question]:
    return read_recording(RECORDING)


def test_its_questions_are_drawn_again_by_its_command(questions: list[Question]) -> None:
    levels = Counter(question.level for question in questions)
    assert levels == {level: 60 if level <= 8 else 30 for level in range(1, 13)}
    again = {question.id: question for question in drawn(dict(levels), seed=0)}
    for question in questions:
        asked = again[question.id]
        assert (question.prompt, question.gold) == (asked.prompt, asked.gold)


def test_it_holds_what_it_says(questions: list[Question]) -> None:
    about = json.loads(companion(RECORDING).read_text())
    assert about["totals"] == totals(questions)
    assert {len(question.samples) for question in questions} == {about["settings"]["samples"]}
    assert {len(question.chains) for question in questions} == {about["settings"]["chains"]}


def test_answers_are_graded(questions: list[Question]) -> None:
    for question in questions:
        for said in (*question.samples, *question.chains):
            assert said.correct == (said.answer == question.gold)
