"""Best-of-N."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms.best_of_n import BestOfN, BestOfNParams
from dynasor.policies import POLICIES
from dynasor.work import Finished, Generate, Measure, Score, Started
from tests.dynasor.algorithms.reward_world import (
    World,
    answer,
    by_policy,
    chaotic,
    found,
    whims,
    wild,
)


def make(**params: Any) -> BestOfN:
    return BestOfN(BestOfNParams(**params))


def sampled(algorithm: BestOfN, *chains: tuple[str | None, float]) -> BestOfN:
    """Chains with their answers and rewards, begun, ended and judged."""
    for branch, (key, reward) in enumerate(chains):
        score = algorithm.params.max_branches + branch
        for event in (
            Started(branch),
            Finished(branch, "stop", answer(key), 9),
            Started(score),
            Finished(score, "stop", scores=(reward,)),
        ):
            algorithm.observe(event)
    return algorithm


class TestBestOfN:
    @given(
        data=st.data(),
        cap=st.integers(1, 12),
        vote=st.sampled_from(["best", "weighted"]),
        how=st.sampled_from(["last", "min", "mean", "product"]),
    )
    def test_ends_under_every_policy_whatever_happens(
        self, data: st.DataObject, cap: int, vote: str, how: str
    ) -> None:
        world = wild(make(max_branches=cap, vote=vote, aggregate=how), data).run()
        assert world.units == cap == world.certaindex().measured
        scores = [item for item in world.items.values() if isinstance(item, Score)]
        assert len(world.items) == cap + len(scores)
        assert all(item.steps == (how != "last") for item in scores)

    @settings(max_examples=30)
    @pytest.mark.parametrize("policy", ["even", "threshold", "beta", "window"])
    @given(seed=st.integers(0, 10**6))
    def test_ends_under_the_real_policies(self, policy: str, seed: int) -> None:
        made = POLICIES.get(policy, "policy")
        grant = by_policy(made(made.Params()))
        world = World(make(), Random(seed), grant, chaotic, whims).run()
        assert world.settled or world.units == 16

    @given(seed=st.integers(0, 10**6), cut=st.integers(1, 24))
    def test_goes_on_from_a_snapshot_as_if_nothing_had_happened(self, seed: int, cut: int) -> None:
        ends = []
        for restored in (False, True):

            def grant(world: World, restored: bool = restored) -> int | None:
                if restored and len(world.ended) == cut:
                    world.again()
                return None

            world = World(make(), Random(seed), grant, chaotic, whims).run()
            ends.append((world.items, world.certaindex(), world.algorithm.answer()))
        assert ends[0] == ends[1]

    def test_a_chain_has_ended_when_it_is_judged_or_never_will_be(self) -> None:
        algorithm = make(max_branches=3)
        for branch in range(3):
            algorithm.observe(Started(branch))
        algorithm.observe(Finished(0, "stop", answer("1")))
        assert list(algorithm.demand()) == [Score(3, 0)]
        assert algorithm.certaindex().measured == 0
        algorithm.observe(Started(3))
        assert not list(algorithm.demand())
        algorithm.observe(Finished(3, "stop", scores=(0.5,)))
        assert algorithm.certaindex().measured == 1
        algorithm.observe(Finished(1, "error"))
        assert algorithm.certaindex().measured == 2
        algorithm.observe(Finished(2, "length", answer("1")))
        algorithm.observe(Started(5))
        algorithm.observe(Finished(5, "error"))
        assert algorithm.certaindex().measured == 3
        assert not list(algorithm.demand())

    def test_a_failed_score_says_nothing_of_the_others(self) -> None:
        algorithm = sampled(make(max_branches=4), ("1", 0.5), ("2", 0.6))
        before = algorithm.certaindex().signals["reward"]
        for event in (Started(2), Finished(2, "stop", answer("1")), Started(6)):
            algorithm.observe(event)
        algorithm.observe(Finished(6, "error"))
        assert algorithm.certaindex().signals["reward"] == before
        assert algorithm.certaindex().measured == 3
        assert algorithm.answer().answer == answer("2")

    def test_scores_come_before_new_chains(self) -> None:
        algorithm = make(max_branches=2, scorer="checks.judge")
        algorithm.observe(Started(0))
        algorithm.observe(Finished(0, "stop"))
        assert list(algorithm.demand()) == [Score(2, 0, "checks.judge"), Generate(1)]
        assert algorithm.scorer == "checks.judge"

    def test_measures_how_probable_chains_are_if_it_is_told_to(self) -> None:
        (chain,) = make(max_branches=1, probability=True).demand()
        assert chain == Generate(0, measure=Measure(probability=True))

    def test_the_vote_is_won_by_the_sum_or_by_the_best(self) -> None:
        chains = [("1", 0.5), ("2", 0.7), ("1", 0.6)]
        assert sampled(make(), *chains).answer() == (answer("1"), 2)
        assert sampled(make(vote="best"), *chains).answer() == (answer("2"), 1)

    def test_the_reward_is_made_of_step_scores(self) -> None:
        algorithm = make(max_branches=1, aggregate="min")
        algorithm.observe(Started(0))
        algorithm.observe(Finished(0, "stop", answer("1")))
        assert list(algorithm.demand()) == [Score(1, 0, steps=True)]
        algorithm.observe(Started(1))
        algorithm.observe(Finished(1, "stop", scores=(0.9, 0.4, 0.8)))
        (vote,) = algorithm.certaindex().votes
        assert vote.weight == pytest.approx(0.4)

    def test_beats_the_majority(self) -> None:
        # A chain is right in a quarter of the cases, and the wrong ones agree.
        hits = sum(found(make(), seed, depth=6, chance=0.8) for seed in range(20))
        assert hits >= 18

    def test_is_settled_by_what_its_vote_needs(self) -> None:
        assert make().stop_hint.thresholds == {"reward": 1.0, "consensus": 0.9}
        assert make(vote="best").stop_hint.thresholds == {"reward": 1.0}
        signals = sampled(make(), ("1", 0.95), ("1", 0.85), ("2", 0.2)).certaindex().signals
        assert signals["reward"] == 1.0
        assert signals["consensus"] == pytest.approx(0.9)

    def test_knows_nothing_at_first(self) -> None:
        assert make().answer() == (None, None)
        assert make().certaindex().signals == {"entropy": 0.0, "reward": 0.0, "consensus": 0.0}
