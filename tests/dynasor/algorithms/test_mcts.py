"""Monte Carlo tree search: its arithmetic, its tree, and where its rollouts go."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS
from dynasor.algorithms.bandits import halving_visits, priors, puct, uct
from dynasor.algorithms.mcts import Mcts, MctsParams
from dynasor.algorithms.search_tree import ROOT
from dynasor.answers.answer import Answer
from dynasor.work import Finish, Finished, Generate, Score, Started
from tests.dynasor.algorithms.search_world import SearchWorld, goes_on_the_same, trees

params = st.tuples(
    trees,
    st.fixed_dictionaries(
        {
            "rollouts": st.integers(1, 12),
            "selection": st.sampled_from(["uct", "puct"]),
            "prior_temperature": st.sampled_from([None, 0.2]),
            "root": st.sampled_from(["select", "halving"]),
            "simulate": st.booleans(),
            "choose": st.sampled_from(["vote", "reward", "visits"]),
        }
    ),
).map(lambda both: MctsParams.model_validate({**both[0], **both[1]}))
seeds = st.integers(0, 2**32)


def world(params: MctsParams, seed: int = 0, trouble: float = 0.1) -> SearchWorld:
    return SearchWorld(Mcts(params), params.rollouts, seed, trouble)


def mcts(**fields: Any) -> Mcts:
    return Mcts(MctsParams(**fields))


def start(algorithm: Mcts, units: int = 1) -> list[Generate | Score]:
    """Start all that begins no unit, and that many units."""
    started: list[Generate | Score] = []
    while True:
        items = [item for item in algorithm.demand() if item.units <= units]
        if not items:
            return started
        for item in items:
            units -= item.units
            started.append(item)
            algorithm.observe(Started(item.branch))


def step(algorithm: Mcts, branch: int, reward: float) -> None:
    """A branch ends at a step and is judged."""
    algorithm.observe(Finished(branch, "step", tokens=5))
    judge(algorithm, reward)


def say(algorithm: Mcts, branch: int, key: str, reward: float, tokens: int = 5) -> None:
    """A branch ends its chain with an answer and is judged."""
    algorithm.observe(Finished(branch, "stop", Answer(key, key), tokens))
    judge(algorithm, reward)


def judge(algorithm: Mcts, reward: float) -> None:
    (score,) = [item for item in algorithm.demand() if isinstance(item, Score)]
    algorithm.observe(Started(score.branch))
    algorithm.observe(Finished(score.branch, "stop", scores=(reward,)))


class TestArithmetic:
    def test_uct_in_closed_form(self) -> None:
        assert uct(0.5, 2, 8, 1.0) == pytest.approx(0.5 + math.sqrt(math.log(8) / 2))
        assert uct(0.5, 3, 9, 0.0) == 0.5
        assert uct(0.25, 1, 1, 2.0) == 0.25

    def test_puct_in_closed_form(self) -> None:
        assert puct(0.5, 3, 16, 2.0, 0.25) == pytest.approx(0.5 + 2 * 0.25 * 4 / 4)
        assert puct(0.5, 0, 16, 1.0, 0.5) == pytest.approx(2.5)

    def test_priors_are_a_softmax_of_the_rewards(self) -> None:
        assert priors([0.1, 0.9], None) == [0.5, 0.5]
        low, high = priors([0.0, 0.2], 0.2)
        assert high / low == pytest.approx(math.e)
        assert priors([], 0.2) == []

    @given(st.lists(st.floats(0, 1), min_size=1), st.none() | st.floats(0.01, 100))
    def test_priors_add_up_to_one(self, rewards: list[float], temperature: float | None) -> None:
        assert sum(priors(rewards, temperature)) == pytest.approx(1.0)

    @given(st.floats(0, 1), st.integers(1, 50), st.integers(1, 50), st.floats(0, 4))
    def test_fewer_visits_are_explored_first(self, q: float, n: int, m: int, c: float) -> None:
        fewer, more = sorted((n, m))
        assert uct(q, fewer, n + m, c) >= uct(q, more, n + m, c)
        assert puct(q, fewer, n + m, c, 0.5) >= puct(q, more, n + m, c, 0.5)

    def test_halving_spends_half_on_all_and_half_on_the_better_two(self) -> None:
        assert halving_visits(4, 16) == [0] * 4 + [1] * 4 + [2, 2, 3, 3, 4, 4, 5, 5]
        assert halving_visits(1, 3) == [0, 1, 2]
        assert halving_visits(0, 3) == []

    @given(st.integers(2, 64), st.integers(0, 256))
    def test_halving_visits_every_arm_before_it_drops_one(self, arms: int, budget: int) -> None:
        turns = halving_visits(arms, budget)
        assert len(turns) == budget
        assert turns[:arms] == [0] * min(arms, budget)
        assert turns == sorted(turns)
        had = [0] * arms
        for turn in turns:
            had[had.index(turn)] += 1  # fails if no arm has had that many visits


class TestEverySearch:
    @settings(deadline=None)
    @given(params, seeds)
    def test_ends_within_its_cap_whatever_happens(self, params: MctsParams, seed: int) -> None:
        searched = world(params, seed)
        searched.run()
        assert searched.units <= params.rollouts

    @settings(deadline=None, max_examples=50)
    @given(params, seeds)
    def test_goes_on_from_a_snapshot_to_the_same_result(
        self, params: MctsParams, seed: int
    ) -> None:
        goes_on_the_same(world(params, seed), world(params, seed), seed)

    @settings(deadline=None)
    @given(params, seeds)
    def test_visits_add_up_and_no_virtual_loss_is_left(self, params: MctsParams, seed: int) -> None:
        searched = world(params, seed)
        while searched.step():
            check_visits(searched.algorithm)  # type: ignore[arg-type]
        state = searched.algorithm.state
        assert all(visits.virtual == 0 for visits in state.visits.values())
        assert state.visits[ROOT].rollouts == searched.units

    @settings(deadline=None)
    @given(params, seeds)
    def test_never_runs_more_rollouts_at_a_time_than_it_may(
        self, params: MctsParams, seed: int
    ) -> None:
        searched = world(params, seed)
        while searched.step():
            running = searched.units - searched.algorithm.certaindex().measured
            assert running <= params.parallel

    @settings(deadline=None)
    @given(params, seeds)
    def test_with_simulations_every_rollout_ends_a_chain(
        self, params: MctsParams, seed: int
    ) -> None:
        searched = world(params.model_copy(update={"simulate": True}), seed, trouble=0.0)
        searched.run()
        index = searched.algorithm.certaindex()
        assert sum(vote.count for vote in index.votes) + index.abstained >= index.measured


def check_visits(algorithm: Mcts) -> None:
    nodes, visits = algorithm.state.tree.nodes, algorithm.state.visits
    for branch, node in nodes.items():
        if not node.judged and branch != ROOT:
            assert branch not in visits
            continue
        below = [child for child, it in nodes.items() if it.parent == branch and it.judged]
        assert visits[branch].count == (branch != ROOT) + sum(visits[c].count for c in below)
        own = node.reward if branch != ROOT else 0.0
        assert visits[branch].value == pytest.approx(own + sum(visits[c].value for c in below))
        assert 0.0 <= visits[branch].value <= visits[branch].count + 1e-9


class TestRollout:
    def test_samples_steps_judges_them_and_ends_the_best_ones_chain(self) -> None:
        algorithm = mcts(children=2, parallel=1)
        first, second = start(algorithm)
        assert isinstance(first, Generate) and isinstance(second, Generate)
        assert (first.units, second.units) == (1, 0)
        assert first.parent is None and first.until == ("step",) and first.max_tokens == 256
        step(algorithm, first.branch, 0.3)
        step(algorithm, second.branch, 0.6)
        (simulation,) = start(algorithm, units=0)
        assert isinstance(simulation, Generate)
        assert (simulation.parent, simulation.until, simulation.max_tokens) == (1, (), None)
        assert algorithm.certaindex().measured == 0
        say(algorithm, simulation.branch, "7", 0.9)
        assert algorithm.certaindex().measured == 1
        assert algorithm.answer() == (Answer("7", "7"), simulation.branch)
        assert algorithm.state.visits[1].count == 2
        assert algorithm.state.visits[1].value == pytest.approx(1.5)
        assert algorithm.state.visits[ROOT].count == 3

    def test_needs_no_simulation_where_the_best_step_ends_the_chain(self) -> None:
        algorithm = mcts(children=2, parallel=1)
        start(algorithm)
        step(algorithm, 0, 0.3)
        say(algorithm, 1, "7", 0.6)
        assert algorithm.certaindex().measured == 1
        assert [item.units for item in algorithm.demand()] == [1]

    def test_goes_to_the_end_at_the_last_depth(self) -> None:
        (item, *_) = start(mcts(children=2, max_depth=1))
        assert isinstance(item, Generate) and item.until == () and item.max_tokens is None

    def test_all_that_is_lost_ends_it_too(self) -> None:
        algorithm = mcts(children=2)
        start(algorithm)
        algorithm.observe(Finished(0, "error"))
        algorithm.observe(Finished(1, "stopped"))
        assert algorithm.certaindex().measured == 1
        assert not list(algorithm.demand())
        assert algorithm.answer() == (None, None)

    def test_an_end_without_an_answer_is_a_visit_of_no_value_and_abstains(self) -> None:
        algorithm = mcts(children=1)
        start(algorithm)
        algorithm.observe(Finished(0, "length", tokens=256))
        assert not list(algorithm.demand()), "nothing to judge, nothing to expand"
        assert (algorithm.state.visits[0].count, algorithm.state.visits[0].value) == (1, 0.0)
        assert algorithm.certaindex().abstained == 1

    def test_a_failed_judgement_is_a_reward_of_0(self) -> None:
        algorithm = mcts(children=1)
        start(algorithm)
        algorithm.observe(Finished(0, "stop", Answer("7", "7")))
        (score,) = start(algorithm, units=0)
        assert algorithm.answer().answer == Answer("7", "7"), "an answer needs no judgement"
        algorithm.observe(Finished(score.branch, "error"))
        assert algorithm.certaindex().signals["reward"] == 0.0
        assert algorithm.certaindex().measured == 1


class TestSelection:
    def grown(self, *rewards: float, **fields: Any) -> Mcts:
        """A root with judged children."""
        algorithm = mcts(children=len(rewards), simulate=False, **fields)
        start(algorithm)
        for branch, reward in enumerate(rewards):
            step(algorithm, branch, reward)
        return algorithm

    def parents(self, algorithm: Mcts, rollouts: int) -> list[int | None]:
        return [
            item.parent
            for _ in range(rollouts)
            for item in start(algorithm)
            if isinstance(item, Generate) and item.units
        ]

    def test_the_first_leaf_is_the_best_one(self) -> None:
        assert self.parents(self.grown(0.2, 0.8, 0.5), 1) == [1]

    def test_virtual_loss_leads_the_next_rollout_elsewhere(self) -> None:
        assert self.parents(self.grown(0.5, 0.5, 0.5, parallel=3), 3) == [0, 1, 2]

    def test_a_leaf_that_is_being_expanded_is_not_expanded_again(self) -> None:
        assert self.parents(self.grown(0.9, exploration=0.0), 3) == [0]
        assert self.parents(mcts(children=2), 3) == [None]

    def test_without_exploration_it_stays_where_the_mean_is_best(self) -> None:
        algorithm = self.grown(0.2, 0.8, exploration=0.0, parallel=1)
        for _ in range(5):
            items = start(algorithm)
            for item in items:
                step(algorithm, item.branch, 0.8)
        assert algorithm.state.visits[1].rollouts == 5

    def test_chains_that_have_ended_are_not_selected(self) -> None:
        algorithm = mcts(children=2, simulate=False)
        start(algorithm)
        say(algorithm, 0, "7", 1.0)
        step(algorithm, 1, 0.1)
        assert self.parents(algorithm, 1) == [1]

    def test_a_tree_that_is_explored_ends_the_search(self) -> None:
        algorithm = mcts(children=2)
        start(algorithm)
        say(algorithm, 0, "7", 1.0)
        say(algorithm, 1, "8", 0.5)
        assert not list(algorithm.demand())
        assert algorithm.certaindex().measured == 1

    def test_a_prior_from_rewards_leads_puct(self) -> None:
        fields = {"selection": "puct", "exploration": 10.0, "parallel": 1, "rollouts": 6}
        visited = []
        for temperature in [None, 0.1]:
            algorithm = self.grown(0.4, 0.6, prior_temperature=temperature, **fields)
            for _ in range(5):
                for item in start(algorithm):
                    step(algorithm, item.branch, 0.5)
            visited.append(algorithm.state.visits[1].rollouts)
        assert visited == [3, 5]

    def test_halving_goes_through_every_step_and_then_through_the_better_half(self) -> None:
        algorithm = self.grown(0.2, 0.8, 0.5, 0.4, rollouts=17, root="halving", parallel=1)
        for _ in range(16):
            for item in start(algorithm):
                step(algorithm, item.branch, {0: 0.1, 1: 0.9, 2: 0.6, 3: 0.5}[top(algorithm, item)])
        rollouts = [algorithm.state.visits[child].rollouts for child in range(4)]
        assert rollouts == [2, 6, 6, 2]


def top(algorithm: Mcts, item: Generate | Score) -> int:
    """The root's child under which a branch is."""
    return algorithm.state.tree.path(item.branch)[1]


class OneGoodStep(SearchWorld):
    """Only chains that begin with branch 2 are any good: they say 7, the others all kinds."""

    def end(self, item: Generate) -> tuple[Finish, Answer | None]:
        if item.until and (item.branch == 2 or self.random.random() < 0.8):
            return "step", None
        key = "7" if self.good(item.branch) else str(self.random.randint(10, 12))
        return "stop", Answer(key, key)

    def score(self, target: int) -> float:
        return self.random.uniform(0.6, 0.9) if self.good(target) else self.random.uniform(0.1, 0.6)

    def good(self, branch: int) -> bool:
        return top(self.algorithm, self.started[branch]) == 2  # type: ignore[arg-type]


@pytest.mark.parametrize("root", ["select", "halving"])
@pytest.mark.parametrize("selection", ["uct", "puct"])
def test_visits_gather_where_the_rewards_are(selection: str, root: str) -> None:
    for seed in range(4):
        algorithm = mcts(rollouts=32, selection=selection, root=root)
        OneGoodStep(algorithm, 32, seed, trouble=0.0).run()
        visits = algorithm.state.visits
        assert visits[2].count == max(visits[child].count for child in range(4))
        assert visits[2].count > 1.4 * visits[ROOT].count / 4
        for choose in ["vote", "reward", "visits"]:
            chosen = mcts(choose=choose)
            chosen.restore(algorithm.snapshot())
            assert chosen.answer().answer == Answer("7", "7")


class TestAnswer:
    def voted(self, choose: str) -> Mcts:
        """Two chains say 1 and have 0.4 each; one says 2 and has 0.7."""
        algorithm = mcts(children=3, parallel=1, choose=choose)
        start(algorithm)
        say(algorithm, 0, "1", 0.4, tokens=1)
        say(algorithm, 1, "1", 0.35, tokens=0)
        say(algorithm, 2, "2", 0.7)
        return algorithm

    def test_a_vote_adds_up_rewards_and_shows_the_best_chain(self) -> None:
        assert self.voted("vote").answer() == (Answer("1", "1"), 0)

    def test_the_best_reward_wins_alone(self) -> None:
        assert self.voted("reward").answer() == (Answer("2", "2"), 2)

    def test_the_most_visited_path_leads_to_the_answer(self) -> None:
        algorithm = mcts(children=2, parallel=1, choose="visits")
        start(algorithm)
        step(algorithm, 0, 0.5)
        say(algorithm, 1, "2", 0.4)
        (simulation,) = start(algorithm, units=0)
        say(algorithm, simulation.branch, "1", 0.1)
        assert algorithm.answer() == (Answer("1", "1"), simulation.branch)

    def test_the_reward_signal_is_the_mean_over_chains(self) -> None:
        index = self.voted("vote").certaindex()
        assert index.signals["reward"] == pytest.approx((0.4 + 0.35 + 0.7) / 3)
        assert [(vote.key, vote.count) for vote in index.votes] == [("1", 2), ("2", 1)]
        assert index.votes[0].weight == pytest.approx(0.75)


def test_is_known_by_its_name_with_the_papers_hint() -> None:
    assert ALGORITHMS.get("mcts", "algorithm") is Mcts
    hint = mcts(parallel=2).stop_hint
    assert (hint.knob, hint.wave) == (3, 2)
    assert hint.thresholds == {"entropy": 0.99, "reward": 0.4}
    assert mcts(scorer="judge").scorer == "judge"
