"""DeepConf: the threshold of the warm-up, who is stopped by it, and who votes."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.deepconf import DeepConf, DeepConfParams, percentile
from dynasor.answers.answer import Answer
from dynasor.work import (
    Drop,
    Dropped,
    Finish,
    Finished,
    Generate,
    Grew,
    Measure,
    Measured,
    Started,
    WorkItem,
)

confidences = st.floats(0, 30)


def make(**params: object) -> DeepConf:
    return DeepConf(DeepConfParams.model_validate(params))


def start_all(algorithm: DeepConf) -> list[WorkItem]:
    """What it demands; chains are started."""
    items = list(algorithm.demand())
    for item in items:
        if isinstance(item, Generate):
            algorithm.observe(Started(item.branch))
    return items


def branches(items: list[WorkItem]) -> list[int]:
    return [item.branch for item in items if isinstance(item, Generate)]


def drops(algorithm: DeepConf) -> list[int]:
    return [item.branch for item in algorithm.demand() if isinstance(item, Drop)]


def end(
    branch: int,
    key: str | None,
    lowest: float | None,
    finish: Finish = "stop",
    mean: float | None = None,
) -> Finished:
    answer = None if key is None else Answer(key, key)
    return Finished(branch, finish, answer, 9, measured=Measured(lowest=lowest, mean=mean))


def warmed_up(*chains: tuple[str | None, float], **params: object) -> DeepConf:
    """Its warm-up chains have ended, by answer and lowest confidence; the others have started."""
    algorithm = make(warmup=len(chains), **params)
    start_all(algorithm)
    for branch, (key, lowest) in enumerate(chains):
        algorithm.observe(end(branch, key, lowest))
    start_all(algorithm)
    return algorithm


class TestWarmup:
    def test_comes_first_and_runs_unwatched(self) -> None:
        algorithm = make(max_branches=8, warmup=3, window=50, top=5)
        items = start_all(algorithm)
        measure = Measure(group=50, top=5)
        assert items == [Generate(branch, measure=measure) for branch in range(3)]
        assert not list(algorithm.demand()), "the others wait for the threshold"

    def test_the_others_start_all_at_once_when_it_has_ended(self) -> None:
        algorithm = make(max_branches=8, warmup=3)
        start_all(algorithm)
        for branch in (2, 0):
            algorithm.observe(end(branch, "1", 5.0))
            assert not list(algorithm.demand())
        algorithm.observe(end(1, "1", 5.0, "stopped"))
        items = start_all(algorithm)
        assert branches(items) == [3, 4, 5, 6, 7]
        assert all(isinstance(item, Generate) and item.follow for item in items)

    def test_is_never_longer_than_the_cap(self) -> None:
        algorithm = make(max_branches=4, warmup=16)
        assert branches(start_all(algorithm)) == [0, 1, 2, 3]
        assert algorithm.stop_hint.knob == 4

    def test_sets_the_percentile_of_its_lowest_confidences(self) -> None:
        scores = [3.0, 9.0, 5.0, 7.0]
        low = warmed_up(*[("1", score) for score in scores], eta=10.0)
        high = warmed_up(*[("1", score) for score in scores], eta=90.0)
        assert low.state.threshold == pytest.approx(np.percentile(scores, 90))
        assert high.state.threshold == pytest.approx(np.percentile(scores, 10))

    def test_chains_that_failed_do_not_set_it(self) -> None:
        algorithm = make(warmup=3, eta=100.0)
        start_all(algorithm)
        algorithm.observe(end(0, "1", 6.0))
        algorithm.observe(end(1, None, 1.0, "error"))
        algorithm.observe(end(2, None, 2.0, "stopped"))
        assert algorithm.state.threshold == 6.0

    def test_a_chain_shorter_than_a_group_is_judged_by_its_mean(self) -> None:
        algorithm = make(warmup=2, eta=100.0)
        start_all(algorithm)
        algorithm.observe(end(0, "1", None, mean=4.0))
        algorithm.observe(end(1, "1", 8.0, mean=9.0))
        assert algorithm.state.threshold == 4.0

    def test_without_any_measurement_nobody_is_stopped_and_everybody_votes(self) -> None:
        algorithm = make(max_branches=4, warmup=2)
        start_all(algorithm)
        algorithm.observe(Finished(0, "error"))
        algorithm.observe(Finished(1, "stop", Answer("1", "1"), 9))
        start_all(algorithm)
        algorithm.observe(Grew(2, 50, Measured(lowest=0.0)))
        algorithm.observe(Finished(2, "stop", Answer("2", "2"), 9))
        algorithm.observe(Finished(3, "stop", Answer("2", "2"), 9))
        assert not list(algorithm.demand())
        assert algorithm.answer().answer == Answer("2", "2")


class TestStopping:
    def test_a_chain_whose_group_falls_below_is_taken_back_once(self) -> None:
        algorithm = warmed_up(("1", 4.0), ("1", 8.0), max_branches=5, eta=100.0)
        algorithm.observe(Grew(2, 40, Measured(lowest=4.0)))
        assert drops(algorithm) == [], "not below"
        algorithm.observe(Grew(2, 50, Measured(lowest=3.9)))
        algorithm.observe(Grew(2, 60, Measured(lowest=3.5)))
        assert drops(algorithm) == [2] == drops(algorithm)
        algorithm.observe(Dropped(2))
        algorithm.observe(Grew(2, 70, Measured(lowest=3.0)))
        assert drops(algorithm) == []
        algorithm.observe(end(2, None, 3.0, "stopped"))
        assert not list(algorithm.demand())

    def test_what_is_unknown_stops_nobody(self) -> None:
        algorithm = warmed_up(("1", 4.0), ("1", 8.0), max_branches=5)
        algorithm.observe(Grew(2, 10))
        algorithm.observe(Grew(3, 10, Measured(tail=0.1, mean=0.1)))
        assert not list(algorithm.demand())

    def test_taking_back_comes_before_starting(self) -> None:
        algorithm = make(max_branches=5, warmup=2, eta=100.0)
        start_all(algorithm)
        for branch in range(2):
            algorithm.observe(end(branch, "1", 5.0))
        algorithm.observe(Started(2))
        algorithm.observe(Grew(2, 40, Measured(lowest=1.0)))
        first, *others = algorithm.demand()
        assert first == Drop(2) and branches(others) == [3, 4]

    def test_a_chain_that_ended_first_is_not_taken_back(self) -> None:
        algorithm = warmed_up(("1", 4.0), ("1", 8.0), max_branches=3, eta=100.0)
        algorithm.observe(Grew(2, 40, Measured(lowest=1.0)))
        algorithm.observe(end(2, "2", 1.0))
        algorithm.observe(Dropped(2))
        assert not list(algorithm.demand())

    @pytest.mark.parametrize("finish", ["stop", "length", "stopped", "error"])
    def test_every_end_is_measured_whatever_came_of_it(self, finish: Finish) -> None:
        algorithm = warmed_up(("1", 4.0), ("1", 8.0), max_branches=3, eta=100.0)
        algorithm.observe(end(2, "2", 1.0, finish))
        assert algorithm.certaindex().measured == 3


class TestVote:
    def test_only_chains_at_the_threshold_or_above_vote(self) -> None:
        algorithm = warmed_up(("1", 4.0), ("2", 8.0), ("1", 5.0), max_branches=6, eta=10.0)
        assert algorithm.state.threshold == pytest.approx(7.4)
        algorithm.observe(end(3, "2", 7.5))
        algorithm.observe(end(4, "1", 7.3))
        algorithm.observe(end(5, "1", 7.3, "stopped"))
        assert [(vote.key, vote.count) for vote in algorithm.certaindex().votes] == [("2", 2)]

    def test_the_warmup_votes_before_it_has_ended_too(self) -> None:
        algorithm = make(warmup=16)
        start_all(algorithm)
        algorithm.observe(end(3, "1", 5.0))
        assert algorithm.answer() == (Answer("1", "1"), 3)

    def test_weights_are_confidences(self) -> None:
        algorithm = warmed_up(("1", 9.0), ("2", 4.0), ("2", 4.5), eta=100.0)
        assert [(vote.key, vote.weight) for vote in algorithm.certaindex().votes] == [
            ("1", 9.0),
            ("2", 8.5),
        ]
        assert algorithm.answer().answer == Answer("1", "1")

    @pytest.mark.parametrize("score", ["lowest", "bottom", "tail", "mean"])
    def test_the_confidence_that_weighs_can_be_chosen(self, score: str) -> None:
        algorithm = make(warmup=2, eta=100.0, score=score)
        measured = Measured(lowest=1.0, bottom=2.0, tail=3.0, mean=4.0)
        for branch in range(2):
            algorithm.observe(Finished(branch, "stop", Answer("1", "1"), 9, measured=measured))
        assert algorithm.state.threshold == 1.0
        assert algorithm.certaindex().votes[0].weight == 2 * getattr(measured, score)

    def test_a_rejected_answer_is_better_than_none(self) -> None:
        algorithm = warmed_up(("1", 4.0), (None, 8.0), max_branches=3, eta=1.0)
        assert algorithm.certaindex().votes == ()
        assert algorithm.answer() == (Answer("1", "1"), 0)
        algorithm.observe(end(2, "2", 9.0))
        assert algorithm.answer() == (Answer("2", "2"), 2)


class TestConsensus:
    def test_is_the_share_of_the_heaviest_answer(self) -> None:
        algorithm = warmed_up(("1", 6.0), ("2", 2.0), ("1", 8.0), eta=100.0)
        assert algorithm.certaindex().signals == {"consensus": pytest.approx(14 / 16)}

    def test_unanimity_reaches_the_threshold_of_the_paper(self) -> None:
        algorithm = warmed_up(("1", 6.0), ("1", 2.0), ("1", 8.0), eta=100.0)
        assert algorithm.certaindex().signals == {"consensus": 1.0}
        assert algorithm.stop_hint.thresholds == {"consensus": 0.95}

    def test_a_chain_without_an_answer_counts_against_it(self) -> None:
        algorithm = warmed_up(("1", 6.0), ("1", 2.0), (None, 2.0), eta=100.0)
        assert algorithm.certaindex().value == pytest.approx(0.8)

    def test_a_single_chain_is_none(self) -> None:
        algorithm = warmed_up(("1", 6.0), eta=100.0)
        assert algorithm.certaindex().value == 0.0

    def test_confidences_of_zero_are_none(self) -> None:
        algorithm = warmed_up(("1", 0.0), ("1", 0.0), eta=100.0)
        assert algorithm.certaindex().value == 0.0


class TestPercentile:
    @given(st.lists(confidences, min_size=1, max_size=40), st.floats(0, 100))
    def test_is_numpys(self, values: list[float], q: float) -> None:
        assert percentile(values, q) == pytest.approx(float(np.percentile(values, q)), abs=1e-9)

    @given(st.lists(confidences, min_size=1, max_size=40), st.floats(0, 99))
    def test_somebody_is_always_strong_enough(self, values: list[float], q: float) -> None:
        assert min(values) <= percentile(values, q) <= max(values)


@given(st.lists(confidences, min_size=1, max_size=16), st.floats(1, 100), st.integers(1, 16))
def test_a_snapshot_goes_on_to_the_same_result(
    scores: list[float], eta: float, warmup: int
) -> None:
    original = make(max_branches=16, warmup=warmup, eta=eta)
    for branch, score in enumerate(scores):
        copy = make(max_branches=16, warmup=warmup, eta=eta)
        copy.restore(msgspec.json.decode(msgspec.json.encode(original.snapshot())))
        for algorithm in (original, copy):
            algorithm.observe(Started(branch))
            if branch >= warmup:
                algorithm.observe(Grew(branch, 9, Measured(lowest=score)))
            if branch < warmup or branch % 3:
                algorithm.observe(end(branch, str(branch % 2), score))
        assert copy.snapshot() == original.snapshot()
        assert list(copy.demand()) == list(original.demand())
        assert copy.certaindex() == original.certaindex() and copy.answer() == original.answer()
