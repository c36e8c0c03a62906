"""The search by width, whatever the rule: under any policy, in any order of events."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.algorithms.base import Algorithm
from dynasor.algorithms.beam_search import BeamSearch
from dynasor.algorithms.dvts import Dvts
from dynasor.algorithms.particle_filtering import ParticleFiltering
from dynasor.algorithms.rebase import Rebase
from dynasor.policies import POLICIES
from dynasor.work import Event, Finished, Generate, Score, Started
from tests.dynasor.algorithms.reward_world import (
    World,
    answer,
    by_policy,
    chaotic,
    found,
    whims,
    wild,
)

KINDS: list[Any] = [Rebase, BeamSearch, Dvts, ParticleFiltering]
every = pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])


def make(kind: Any, **params: Any) -> Algorithm[Any, Any]:
    algorithm: Algorithm[Any, Any] = kind(kind.Params(**params))
    return algorithm


def feed(algorithm: Algorithm[Any, Any], *events: Event) -> None:
    for event in events:
        algorithm.observe(event)


def scored(algorithm: Algorithm[Any, Any], rewards: dict[int, float]) -> None:
    """Accept and answer the scores that are wanted."""
    for item in list(algorithm.demand()):
        if isinstance(item, Score) and item.target in rewards:
            done = Finished(item.branch, "stop", scores=(rewards[item.target],))
            feed(algorithm, Started(item.branch), done)


def steps(algorithm: Algorithm[Any, Any], rewards: Sequence[float]) -> None:
    """Accept root children, and let them end at a step with these rewards."""
    count = len(rewards)
    feed(algorithm, *map(Started, range(count)))
    feed(algorithm, *(Finished(branch, "step", tokens=9) for branch in range(count)))
    scored(algorithm, dict(enumerate(rewards)))


def wanted(algorithm: Algorithm[Any, Any]) -> list[Generate]:
    """Steps below the roots that are demanded."""
    return [item for item in algorithm.demand() if isinstance(item, Generate) and not item.units]


@every
class TestEverySearch:
    @given(
        data=st.data(),
        width=st.integers(1, 12),
        max_depth=st.integers(1, 5),
        beam=st.integers(1, 5),
    )
    def test_ends_under_every_policy_whatever_happens(
        self, kind: Any, data: st.DataObject, width: int, max_depth: int, beam: int
    ) -> None:
        params = {"width": width, "max_depth": max_depth}
        if "beam" in kind.Params.model_fields:
            params["beam"] = beam
        world = wild(make(kind, **params), data).run()
        generated = [item for item in world.items.values() if isinstance(item, Generate)]
        assert world.units == width == world.certaindex().measured
        assert len(generated) <= width * max_depth
        assert max(map(len, world.chain.values())) <= max_depth
        for depth in range(1, max_depth + 1):
            assert sum(len(chain) == depth for chain in world.chain.values()) <= width

    @given(data=st.data(), cut=st.integers(1, 60))
    def test_goes_on_from_a_snapshot_as_if_nothing_had_happened(
        self, kind: Any, data: st.DataObject, cut: int
    ) -> None:
        seed = data.draw(st.integers(0, 10**6))
        ends = []
        for restored in (False, True):

            def grant(world: World, restored: bool = restored) -> int | None:
                if restored and len(world.ended) == cut:
                    world.again()
                return world.units + 2 if world.certaindex().measured == world.units else 0

            algorithm = make(kind, width=6, max_depth=4)
            world = World(algorithm, Random(seed), grant, chaotic, whims).run()
            ends.append((world.items, world.certaindex(), world.algorithm.answer()))
        assert ends[0] == ends[1]

    @settings(max_examples=30)
    @pytest.mark.parametrize("policy", ["even", "threshold", "beta", "window"])
    @given(seed=st.integers(0, 10**6), width=st.integers(1, 20))
    def test_ends_under_the_real_policies(
        self, kind: Any, policy: str, seed: int, width: int
    ) -> None:
        made = POLICIES.get(policy, "policy")
        grant = by_policy(made(made.Params()))
        algorithm = make(kind, width=width, max_depth=4)
        world = World(algorithm, Random(seed), grant, chaotic, whims).run()
        assert world.settled or world.units == width

    def test_finds_the_rare_right_path(self, kind: Any) -> None:
        # A chain alone gets there once in 64 times, one of 16 in every fourth maze.
        hits = sum(found(make(kind), seed, depth=6) for seed in range(20))
        assert hits >= 18

    def test_knows_nothing_at_first(self, kind: Any) -> None:
        algorithm = make(kind)
        assert algorithm.answer() == (None, None)
        assert algorithm.certaindex().value == 0.0
        assert algorithm.certaindex().measured == 0

    def test_only_root_children_begin_units(self, kind: Any) -> None:
        algorithm = make(kind, width=3, step_tokens=99)
        items = list(algorithm.demand())
        assert items == [
            Generate(branch, units=1, until=("step",), max_tokens=99) for branch in range(3)
        ]
        steps(algorithm, [0.5] * 3)
        for item in wanted(algorithm):
            assert item.parent in (0, 1, 2) and item.at is None
            assert item == Generate(item.branch, units=0, parent=item.parent, until=("step",),
                                    max_tokens=99)  # fmt: skip

    def test_asks_the_scorer_that_is_named(self, kind: Any) -> None:
        algorithm = make(kind, scorer="checks.judge")
        feed(algorithm, Started(0), Finished(0, "step"))
        assert algorithm.scorer == "checks.judge"
        assert next(iter(algorithm.demand())) == Score(16, 0, "checks.judge", units=0)

    def test_nothing_goes_on_before_all_of_a_depth_are_judged(self, kind: Any) -> None:
        algorithm = make(kind, width=3)
        feed(algorithm, *map(Started, range(3)))
        feed(algorithm, *(Finished(branch, "step") for branch in range(3)))
        scored(algorithm, {0: 0.9, 2: 0.1})
        assert not wanted(algorithm)
        scored(algorithm, {1: 0.5})
        assert len(wanted(algorithm)) == 3

    def test_a_finished_path_leaves_the_width(self, kind: Any) -> None:
        algorithm = make(kind, width=4)
        feed(algorithm, *map(Started, range(4)))
        feed(algorithm, Finished(0, "stop", answer("7"), 5))
        feed(algorithm, *(Finished(branch, "step") for branch in (1, 2, 3)))
        assert algorithm.certaindex().measured == 0
        scored(algorithm, {0: 0.8, 1: 0.6, 2: 0.5, 3: 0.4})
        assert algorithm.certaindex().measured == 1
        assert len(wanted(algorithm)) == 3

    def test_a_lost_path_leaves_its_width_to_the_others(self, kind: Any) -> None:
        algorithm = make(kind, width=4)
        feed(algorithm, *map(Started, range(4)), Finished(0, "error"), Finished(1, "stopped"))
        feed(algorithm, Finished(2, "length"), Finished(3, "step"))
        scored(algorithm, {3: 0.0})
        assert [item.parent for item in wanted(algorithm)] == [3] * 4

    def test_where_all_are_lost_all_units_have_ended(self, kind: Any) -> None:
        algorithm = make(kind, width=2)
        feed(algorithm, Started(0), Started(1), Finished(0, "error"))
        assert algorithm.certaindex().measured == 0
        feed(algorithm, Finished(1, "length"))
        assert algorithm.certaindex().measured == 2
        assert not list(algorithm.demand())
        assert algorithm.answer() == (None, None)

    def test_a_failed_score_counts_as_zero(self, kind: Any) -> None:
        algorithm = make(kind, width=1)
        feed(algorithm, Started(0), Finished(0, "step"), Started(1), Finished(1, "error"))
        child = wanted(algorithm)[0]
        feed(algorithm, Started(child.branch), Finished(child.branch, "stop", answer("4")))
        feed(algorithm, Started(3), Finished(3, "error"))
        assert algorithm.answer() == (answer("4"), child.branch)
        assert algorithm.certaindex().signals["reward"] == 0.0
        assert algorithm.certaindex().measured == 1

    def test_a_cut_step_is_finished_only_if_it_says_an_answer(self, kind: Any) -> None:
        algorithm = make(kind, width=2)
        feed(algorithm, Started(0), Started(1), Finished(0, "length", answer("5"), 256))
        feed(algorithm, Finished(1, "length", None, 256))
        scored(algorithm, {0: 0.7})
        assert algorithm.answer() == (answer("5"), 0)
        assert algorithm.certaindex().measured == 2
        assert not list(algorithm.demand())

    def test_a_path_of_the_greatest_depth_is_lost_unless_it_ends(self, kind: Any) -> None:
        algorithm = make(kind, width=2, max_depth=1)
        feed(algorithm, Started(0), Started(1), Finished(0, "step"))
        feed(algorithm, Finished(1, "stop", answer("3")))
        scored(algorithm, {1: 0.9})
        assert not list(algorithm.demand())
        assert algorithm.answer() == (answer("3"), 1)

    def test_roots_granted_late_search_on_their_own(self, kind: Any) -> None:
        algorithm = make(kind, width=4)
        steps(algorithm, [0.9, 0.1])
        first = wanted(algorithm)
        assert len(first) == 2 and {item.parent for item in first} <= {0, 1}
        feed(algorithm, Started(2), Started(3), Finished(2, "step"), Finished(3, "step"))
        scored(algorithm, {2: 0.5, 3: 0.5})
        late = [item for item in wanted(algorithm) if item not in first]
        assert len(late) == 2 and {item.parent for item in late} <= {2, 3}

    def test_the_answer_is_voted_by_rewards(self, kind: Any) -> None:
        algorithm = make(kind, width=3)
        feed(algorithm, *map(Started, range(3)))
        said = enumerate(["1", "1", "2"])
        feed(algorithm, *(Finished(branch, "stop", answer(key), 9) for branch, key in said))
        assert algorithm.answer().answer == answer("1"), "until the rewards are known"
        scored(algorithm, {0: 0.1, 1: 0.3, 2: 0.8})
        assert algorithm.answer() == (answer("2"), 2)
        index = algorithm.certaindex()
        assert index.signals["reward"] == 0.8
        assert [vote.key for vote in index.votes] == ["2", "1"]
        assert [vote.weight for vote in index.votes] == pytest.approx([0.8, 0.4])

    def test_its_first_look_leaves_something_to_save(self, kind: Any) -> None:
        assert make(kind, width=64).stop_hint.knob == 16
        assert make(kind, width=16).stop_hint.knob == 8
        assert make(kind, width=1).stop_hint.knob == 1
        assert make(kind).stop_hint.thresholds == {"entropy": 0.85, "reward": 0.99}
