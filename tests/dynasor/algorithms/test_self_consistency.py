"""Self-consistency: what is sampled, and what a vote weighs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dynasor.algorithms.self_consistency import SelfConsistency, SelfConsistencyParams
from dynasor.answers.answer import Answer
from dynasor.certaindex import entropy_certaindex
from dynasor.work import Finish, Finished, Generate, Measure, Measured, Started


def make(**params: object) -> SelfConsistency:
    return SelfConsistency(SelfConsistencyParams.model_validate(params))


def end(
    branch: int, key: str | None, probability: float | None = None, finish: Finish = "stop"
) -> Finished:
    answer = None if key is None else Answer(key, key)
    measured = None if probability is None else Measured(log_probability=math.log(probability))
    return Finished(branch, finish, answer, tokens=9, measured=measured)


def weighted(*chains: tuple[str, float | None], temperature: float = 0.1) -> SelfConsistency:
    """Chains by answer and probability per token."""
    algorithm = make(weights="confidence", weight_temperature=temperature)
    for branch, (key, probability) in enumerate(chains):
        algorithm.observe(end(branch, key, probability))
    return algorithm


@settings(max_examples=20)
@given(st.integers(1, 256))
def test_samples_the_same_prompt(cap: int) -> None:
    assert list(make(max_branches=cap).demand()) == [Generate(branch) for branch in range(cap)]


def test_what_has_started_is_not_demanded_again() -> None:
    algorithm = make(max_branches=4)
    for branch in range(3):
        algorithm.observe(Started(branch))
    assert [item.branch for item in algorithm.demand()] == [3]


@pytest.mark.parametrize("finish", ["stop", "length", "stopped", "error"])
def test_every_end_is_measured_whatever_came_of_it(finish: Finish) -> None:
    algorithm = make()
    algorithm.observe(end(0, "1", finish=finish))
    assert algorithm.certaindex().measured == 1


def test_the_majority_wins() -> None:
    algorithm = make()
    for branch, key in enumerate(["1", "2", None, "2"]):
        algorithm.observe(end(branch, key))
    assert algorithm.answer() == (Answer("2", "2"), 1)
    assert algorithm.certaindex().value == entropy_certaindex([1, 2, 1])


def test_the_paper_stops_at_five_that_agree() -> None:
    algorithm = make()
    for branch in range(5):
        algorithm.observe(end(branch, "1"))
    hint, index = algorithm.stop_hint, algorithm.certaindex()
    assert hint.knob == 5 and index.signals["entropy"] >= hint.thresholds["entropy"]


class TestConfidence:
    def test_is_measured_only_where_it_weighs(self) -> None:
        assert next(make().demand()).measure is None
        assert next(make(weights="confidence").demand()).measure == Measure(probability=True)

    def test_counts_do_not_ask_for_it(self) -> None:
        algorithm = make(weight_temperature=0.01)
        for branch, (key, probability) in enumerate([("1", 0.99), ("2", 0.1), ("2", 0.1)]):
            algorithm.observe(end(branch, key, probability))
        assert algorithm.answer().answer == Answer("2", "2")
        assert [vote.weight for vote in algorithm.certaindex().votes] == [2.0, 1.0]

    def test_a_confident_chain_outvotes_two_doubtful_ones(self) -> None:
        assert weighted(("1", 0.95), ("2", 0.6), ("2", 0.6)).answer().answer == Answer("1", "1")

    def test_a_high_temperature_is_the_plain_majority(self) -> None:
        chains = [("1", 0.95), ("2", 0.6), ("2", 0.6)]
        assert weighted(*chains, temperature=1e3).answer().answer == Answer("2", "2")

    def test_weights_are_the_softmax_within_the_query(self) -> None:
        votes = weighted(("1", 0.9), ("2", 0.7), ("1", 0.5), temperature=0.2).certaindex().votes
        powers = [math.exp(value / 0.2) for value in (0.9, 0.7, 0.5)]
        assert [vote.key for vote in votes] == ["1", "2"]
        assert votes[0].weight == pytest.approx((powers[0] + powers[2]) / sum(powers))
        assert votes[1].weight == pytest.approx(powers[1] / sum(powers))

    def test_certaindex_still_counts_votes(self) -> None:
        algorithm = weighted(("1", 0.99), ("1", 0.99), ("2", 0.1))
        assert algorithm.certaindex().value == entropy_certaindex([2, 1])

    def test_without_measurements_it_is_the_plain_majority(self) -> None:
        assert weighted(("1", None), ("2", None), ("2", None)).answer().answer == Answer("2", "2")

    @pytest.mark.parametrize(
        "params", [{"weights": "softmax"}, {"weight_temperature": 0.0}, {"max_branches": 0}]
    )
    def test_bad_parameters_are_refused(self, params: dict[str, object]) -> None:
        with pytest.raises(ValidationError):
            make(**params)
