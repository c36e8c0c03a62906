"""Drawn questions: what the parameters promise."""

from __future__ import annotations

from collections import Counter
from statistics import fmean, median, stdev
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.workload.parametric import DrawnQuestions, Parametric
from dynasor.replay.recording import Chain, Question, Sample, Step, parse

models = st.builds(
    Parametric,
    questions=st.just(3),
    samples=st.integers(1, 40),
    alpha=st.floats(0.1, 5),
    beta=st.floats(0.1, 5),
    tokens=st.floats(1, 5000),
    sigma=st.floats(0, 2),
    chains=st.integers(0, 3),
    steps=st.integers(0, 60),
    seed=st.integers(0, 99),
)


def drawn(**parameters: Any) -> list[Question]:
    return list(Parametric(**{"chains": 0, "steps": 0, **parameters}).read())


@settings(deadline=None, max_examples=25)
@given(models)
def test_they_are_recordings_like_any_other(model: Parametric) -> None:
    questions = list(model.read())
    assert parse([msgspec.json.encode(question) for question in questions]) == questions
    for question in questions:
        assert len(question.samples) == model.samples and len(question.chains) == model.chains
        assert len(question.steps) <= model.steps
        every: tuple[Sample | Chain | Step, ...] = question.samples
        for said in (*every, *question.chains, *question.steps):
            assert said.correct == (said.answer == question.gold)


@settings(deadline=None, max_examples=25)
@given(models)
def test_a_question_depends_on_the_parameters_and_its_place_only(model: Parametric) -> None:
    assert model.read()[2] == list(DrawnQuestions(model))[2]
    assert model.read()[-1] == model.read()[2]
    with pytest.raises(IndexError):
        model.read()[3]


def test_accuracy_is_the_mean_of_the_beta_distribution() -> None:
    shares = [
        fmean(sample.correct for sample in question.samples)
        for question in drawn(questions=1500, alpha=2, beta=3, abstain=0)
    ]
    assert fmean(shares) == pytest.approx(0.4, abs=0.03)
    assert stdev(shares) == pytest.approx((0.4 * 0.6 / 6) ** 0.5, abs=0.04)


def test_wrong_answers_fall_off_as_zipf_says() -> None:
    questions = drawn(questions=300, alpha=1, beta=9, zipf=1, wrong_answers=10)
    said = Counter(sample.answer for one in questions for sample in one.samples)
    assert said["1"] / said["2"] == pytest.approx(2, rel=0.2)
    assert said["1"] / said["5"] == pytest.approx(5, rel=0.25)
    assert set(said) <= {None, *map(str, range(11))}


def test_tokens_are_lognormal_and_hard_questions_take_more() -> None:
    even = drawn(questions=200, hardness=0, tokens=500, sigma=0.3)
    assert median(sample.tokens for one in even for sample in one.samples) == pytest.approx(
        500, rel=0.03
    )
    questions = drawn(questions=400, alpha=1, beta=1, hardness=2)
    sure = [one for one in questions if fmean(s.correct for s in one.samples) > 0.85]
    lost = [one for one in questions if fmean(s.correct for s in one.samples) < 0.1]
    assert fmean(one.tokens for one in lost) > 3 * fmean(one.tokens for one in sure)


@pytest.mark.parametrize("field", ["confidence", "reward"])
def test_scores_tell_right_from_wrong_by_the_signal(field: str) -> None:
    def distance(signal: float) -> float:
        scores: dict[bool, list[float]] = {True: [], False: []}
        for question in drawn(questions=100, signal=signal):
            for sample in question.samples:
                scores[sample.correct].append(getattr(sample, field))
        return fmean(scores[True]) - fmean(scores[False])

    assert abs(distance(0)) < 0.03 and distance(1) > 0.1 and distance(3) > distance(1)


def test_the_longer_a_chain_the_surer_its_trial_answers() -> None:
    chains = [chain for one in drawn(questions=300, chains=2) for chain in one.chains]
    early: list[bool] = []
    late: list[bool] = []
    for chain in chains:
        for probe in chain.probes:
            (early if probe.at < 0.3 * chain.tokens else late).append(probe.answer == chain.answer)
    assert fmean(late) > fmean(early) + 0.1


def test_a_tree_goes_right_as_often_as_chains_do() -> None:
    ends, sampled = [], []
    for question in drawn(questions=800, steps=60, abstain=0):
        ends.append(fmean(step.correct for step in question.steps if step.finish == "stop"))
        sampled.append(fmean(sample.correct for sample in question.samples))
    assert fmean(ends) == pytest.approx(fmean(sampled), abs=0.04)
