"""A*-decoding: its costs, its order, and its proof."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS
from dynasor.algorithms.a_star import AStar, AStarParams
from dynasor.answers.answer import Answer
from dynasor.work import Finished, Generate, Score, Started
from tests.dynasor.algorithms.search_world import SearchWorld, goes_on_the_same, trees

params = st.tuples(
    trees,
    st.fixed_dictionaries(
        {
            "max_expansions": st.integers(1, 12),
            "weight": st.sampled_from([0.0, 1.0, 1.0, 2.5]),
            "choose": st.sampled_from(["cost", "vote", "reward"]),
        }
    ),
).map(lambda both: AStarParams.model_validate({**both[0], **both[1]}))
seeds = st.integers(0, 2**32)


def world(params: AStarParams, seed: int = 0, trouble: float = 0.1) -> SearchWorld:
    return SearchWorld(AStar(params), params.max_expansions, seed, trouble)


def a_star(**fields: Any) -> AStar:
    return AStar(AStarParams(**{"parallel": 1, "children": 2, **fields}))


def start(algorithm: AStar) -> list[Generate]:
    """Start one expansion, or what is left of those that run."""
    started: list[Generate] = []
    while items := [item for item in algorithm.demand() if not (started and item.units)]:
        for item in items:
            assert isinstance(item, Generate)
            started.append(item)
            algorithm.observe(Started(item.branch))
    return started


def step(algorithm: AStar, branch: int, reward: float) -> None:
    """A branch ends at a step and is judged."""
    algorithm.observe(Finished(branch, "step", tokens=5))
    judge(algorithm, reward)


def say(algorithm: AStar, branch: int, key: str, reward: float) -> None:
    """A branch ends its chain with an answer and is judged."""
    algorithm.observe(Finished(branch, "stop", Answer(key, key), 5))
    judge(algorithm, reward)


def judge(algorithm: AStar, reward: float) -> None:
    (score,) = [item for item in algorithm.demand() if isinstance(item, Score)]
    algorithm.observe(Started(score.branch))
    algorithm.observe(Finished(score.branch, "stop", scores=(reward,)))


class TestEverySearch:
    @settings(deadline=None)
    @given(params, seeds)
    def test_ends_within_its_cap_whatever_happens(self, params: AStarParams, seed: int) -> None:
        searched = world(params, seed)
        while searched.step():
            running = searched.units - searched.algorithm.certaindex().measured
            assert running <= params.parallel
        assert searched.units <= params.max_expansions

    @settings(deadline=None, max_examples=50)
    @given(params, seeds)
    def test_goes_on_from_a_snapshot_to_the_same_result(
        self, params: AStarParams, seed: int
    ) -> None:
        goes_on_the_same(world(params, seed), world(params, seed), seed)

    @settings(deadline=None)
    @given(params, seeds)
    def test_a_proof_is_never_refuted(self, params: AStarParams, seed: int) -> None:
        searched = world(params.model_copy(update={"weight": 1.0, "choose": "cost"}), seed)
        algorithm = searched.algorithm
        assert isinstance(algorithm, AStar)
        proven: float | None = None
        while searched.step():
            if algorithm.certaindex().signals["optimal"] < 1.0:
                assert proven is None, "more work can't make it less certain"
                continue
            branch = algorithm.answer().branch
            assert branch is not None
            proven = algorithm._cost(branch) if proven is None else proven
            assert algorithm._cost(branch) == pytest.approx(proven)

    @settings(deadline=None)
    @given(params, seeds)
    def test_with_weight_1_a_step_never_costs_less_than_the_one_before(
        self, params: AStarParams, seed: int
    ) -> None:
        searched = world(params.model_copy(update={"weight": 1.0}), seed)
        algorithm = searched.algorithm
        assert isinstance(algorithm, AStar)
        searched.run()
        nodes = algorithm.state.tree.nodes
        for branch in algorithm.state.paid:
            parent = nodes[branch].parent
            assert parent is not None
            assert algorithm._cost(branch) >= algorithm._cost(parent) - 1e-9

    @settings(deadline=None)
    @given(params, seeds)
    def test_says_something_if_a_chain_can_be_ended(self, params: AStarParams, seed: int) -> None:
        class Steps(SearchWorld):
            """Steps only, until a chain is ended in one go."""

            def end(self, item: Generate) -> Any:
                return ("step", None) if item.until else ("stop", Answer("7", "7"))

        searched = Steps(AStar(params), params.max_expansions, seed, trouble=0.0)
        searched.run()
        assert searched.algorithm.answer().answer == Answer("7", "7")


class TestOrder:
    def parent(self, algorithm: AStar) -> int | None:
        return next(item.parent for item in algorithm.demand() if isinstance(item, Generate))

    def test_costs_in_closed_form(self) -> None:
        algorithm = a_star()
        start(algorithm)
        step(algorithm, 0, 0.7)
        step(algorithm, 1, 0.2)
        start(algorithm)
        children = algorithm.state.tree.nodes[0].children
        step(algorithm, children[0], 0.9)
        step(algorithm, children[1], 0.4)
        assert algorithm._cost(0) == pytest.approx(0.3)
        assert algorithm._cost(children[0]) == pytest.approx(0.2 + 0.1)
        assert algorithm._cost(children[1]) == pytest.approx(0.0 + 0.6)

    def test_the_cheapest_open_node_is_next(self) -> None:
        algorithm = a_star()
        start(algorithm)
        step(algorithm, 0, 0.6)
        step(algorithm, 1, 0.7)
        assert self.parent(algorithm) == 1
        start(algorithm)
        for child in algorithm.state.tree.nodes[1].children:
            step(algorithm, child, 0.5)
        assert self.parent(algorithm) == 0

    def test_among_equals_the_better_one_is_next(self) -> None:
        algorithm = a_star()
        start(algorithm)
        step(algorithm, 0, 0.5)
        step(algorithm, 1, 0.5)
        start(algorithm)
        first, second = algorithm.state.tree.nodes[0].children
        step(algorithm, first, 0.5)
        step(algorithm, second, 0.75)
        assert self.parent(algorithm) == second

    def test_a_greater_weight_forgives_what_was_paid(self) -> None:
        parents = []
        for weight in [1.0, 4.0]:
            algorithm = a_star(weight=weight, parallel=2)
            start(algorithm)
            step(algorithm, 0, 0.6)
            step(algorithm, 1, 0.7)
            for parent in [1, 0]:
                assert self.parent(algorithm) == parent
                start(algorithm)
            for parent, reward in [(1, 0.7), (0, 0.9)]:
                kept, lost = algorithm.state.tree.nodes[parent].children
                algorithm.observe(Finished(lost, "error"))
                step(algorithm, kept, reward)
            next_one = self.parent(algorithm)
            assert next_one is not None
            parents.append(algorithm.state.tree.nodes[next_one].parent)
        assert parents == [1, 0]

    def test_expansions_run_beside_each_other(self) -> None:
        algorithm = a_star(parallel=2)
        start(algorithm)
        step(algorithm, 0, 0.6)
        step(algorithm, 1, 0.7)
        assert self.parent(algorithm) == 1
        start(algorithm)
        assert self.parent(algorithm) == 0


class TestProof:
    def test_nothing_open_is_cheaper_than_the_answer(self) -> None:
        algorithm = a_star()
        start(algorithm)
        step(algorithm, 0, 0.6)
        say(algorithm, 1, "7", 0.5)
        assert algorithm.certaindex().signals["optimal"] == pytest.approx(0.9)
        start(algorithm)
        for child in algorithm.state.tree.nodes[0].children:
            assert algorithm.certaindex().signals["optimal"] == pytest.approx(0.9)
            step(algorithm, child, 0.4)
        assert algorithm.certaindex().signals["optimal"] == 1.0
        assert algorithm.answer() == (Answer("7", "7"), 1)

    def test_without_an_answer_nothing_is_proven(self) -> None:
        algorithm = a_star()
        assert algorithm.certaindex().signals["optimal"] == 0.0
        start(algorithm)
        step(algorithm, 0, 1.0)
        assert algorithm.certaindex().signals["optimal"] == 0.0

    def test_an_answer_that_is_not_judged_proves_nothing(self) -> None:
        algorithm = a_star()
        start(algorithm)
        algorithm.observe(Finished(0, "stop", Answer("7", "7"), 5))
        assert algorithm.answer().answer == Answer("7", "7")
        assert algorithm.certaindex().signals["optimal"] == 0.0


class TestAnswer:
    def voted(self, choose: str) -> AStar:
        algorithm = a_star(children=3, choose=choose)
        start(algorithm)
        say(algorithm, 0, "1", 0.4)
        say(algorithm, 1, "1", 0.5)
        say(algorithm, 2, "2", 0.7)
        return algorithm

    def test_is_the_end_of_least_cost_or_voted(self) -> None:
        assert self.voted("cost").answer() == (Answer("2", "2"), 2)
        assert self.voted("vote").answer() == (Answer("1", "1"), 1)

    def test_the_reward_signal_is_that_of_the_best_chain(self) -> None:
        assert self.voted("cost").certaindex().signals["reward"] == pytest.approx(0.7)

    def test_at_the_cap_the_cheapest_open_node_is_gone_on_from_to_its_end(self) -> None:
        algorithm = a_star(max_expansions=1)
        start(algorithm)
        step(algorithm, 0, 0.4)
        step(algorithm, 1, 0.8)
        (last,) = start(algorithm)
        assert (last.parent, last.until, last.units) == (1, (), 0)
        assert algorithm.certaindex().measured == 0
        say(algorithm, last.branch, "7", 0.9)
        assert algorithm.certaindex().measured == 1
        assert not list(algorithm.demand())
        assert algorithm.answer() == (Answer("7", "7"), last.branch)


def test_is_known_by_its_name_and_stops_at_a_proof() -> None:
    assert ALGORITHMS.get("a_star", "algorithm") is AStar
    assert a_star().stop_hint[:3] == (1, {"optimal": 1.0}, None)
    assert a_star(scorer="judge").scorer == "judge"
