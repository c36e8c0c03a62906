"""The format of recordings."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dynasor.replay.recording import ROOT, Chain, Probe, Question, Sample, Step, parse

SAMPLE = {"answer": "5", "tokens": 3, "correct": True}


def line(**fields: Any) -> str:
    return json.dumps({"samples": [SAMPLE], **fields})


def test_reads_every_field() -> None:
    written = line(
        id="q1",
        dataset="d",
        model="m",
        gold="5",
        prompt="2 + 3?",
        level=2,
        prompt_tokens=7,
        samples=[{**SAMPLE, "confidence": 0.5, "reward": 0.25}],
        chains=[
            {
                "tokens": 90,
                "answer": "5",
                "correct": True,
                "probes": [{"at": 40, "answer": None, "tokens": 8, "confidence": 0.75}],
            }
        ],
        steps=[
            {"parent": -1, "tokens": 4, "reward": 0.5, "finish": "step"},
            {"parent": 0, "tokens": 6, "finish": "stop", "answer": "5", "correct": True},
        ],
    )
    assert parse([written]) == [
        Question(
            samples=(Sample("5", 3, True, 0.5, 0.25),),
            model="m",
            id="q1",
            dataset="d",
            gold="5",
            prompt="2 + 3?",
            level=2,
            prompt_tokens=7,
            chains=(Chain(90, "5", True, (Probe(40, None, 8, 0.75),)),),
            steps=(Step(ROOT, 4, 0.5, "step"), Step(0, 6, None, "stop", "5", True)),
        )
    ]


def test_only_samples_are_needed() -> None:
    assert parse([line()]) == [Question((Sample("5", 3, True),))]


@pytest.mark.parametrize(("given", "read"), [("007", "007"), (7, "7"), (None, None)])
def test_gold_answers_are_texts_as_they_stand(given: Any, read: str | None) -> None:
    assert parse([line(gold=given)])[0].gold == read


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"samples": []}, "samples"),
        ({"samples": [{**SAMPLE, "confidence": 1.5}]}, "samples[0].confidence"),
        ({"level": -1}, "level"),
        ({"steps": [{"parent": 0, "tokens": 1}]}, "steps[0].parent"),
        ({"steps": [{"parent": -2, "tokens": 1}]}, "steps[0].parent"),
        ({"steps": [{"parent": -1, "tokens": 1, "finish": "end"}]}, "steps[0].finish"),
        (
            {"steps": [{"parent": -1, "tokens": 1, "finish": "stop"}, {"parent": 0, "tokens": 1}]},
            "steps[1].parent",
        ),
        (
            {"chains": [{**SAMPLE, "probes": [{"at": 9, "answer": "5"}]}]},
            "chains[0].probes",
        ),
        (
            {
                "chains": [
                    {**SAMPLE, "probes": [{"at": 2, "answer": "5"}, {"at": 1, "answer": "5"}]}
                ]
            },
            "chains[0].probes",
        ),
    ],
)
def test_what_is_wrong_is_named(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse([line(), line(**fields)])
    assert str(caught.value).startswith("line 2: ") and where in str(caught.value)


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(ValueError, match="no question"):
        parse(["", " "])
