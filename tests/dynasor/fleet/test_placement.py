"""Which replica a branch runs on: what is cached there against what runs there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.settings import PlacementSettings
from tests.dynasor.fleet.stands import PROMPT, Stand, a_run, branch
from tests.dynasor.simulated import Chain
from tests.dynasor.world import World

PREFILL = PlacementSettings().prefill_s_per_token
PER_RUN = PlacementSettings().decode_s_per_sequence * PlacementSettings().expected_tokens


class TestChoice:
    def test_no_replica_no_room(self) -> None:
        assert Stand().chosen() is None

    def test_full_replicas_are_no_choice(self) -> None:
        there = Stand()
        there.attach("a", load=2, slots=2)
        assert there.chosen() is None
        there.attach("b", load=9)
        assert there.chosen() == "b"

    def test_less_load_is_better(self) -> None:
        there = Stand()
        there.attach("a", load=3)
        there.attach("b", load=2)
        assert there.chosen() == "b"

    def test_a_cached_prompt_is_better(self) -> None:
        there = Stand()
        there.attach("a")
        there.attach("b", cached=PROMPT)
        assert there.chosen() == "b"

    def test_equal_costs_go_to_the_first_seat(self) -> None:
        there = Stand()
        for name in ("b", "a", "c"):
            there.attach(name)
        assert there.chosen() == "b"
        there.roster.leave("b")
        assert there.chosen() == "a"
        there.attach("late")
        assert there.chosen() == "late"

    @pytest.mark.parametrize("more", [0, 1])
    def test_affinity_is_left_when_another_replica_is_faster_in_total(self, more: int) -> None:
        worth = int(len(PROMPT) * PREFILL / PER_RUN)
        assert worth >= 1
        there = Stand()
        there.attach("a")
        there.attach("b", load=worth + more, cached=PROMPT)
        assert there.chosen() == ("a" if more else "b")

    def test_only_whole_blocks_are_cached(self) -> None:
        there = Stand()
        there.attach("a")
        there.attach("b", cached=PROMPT[:87])
        assert there.chosen() == "b"
        there.attach("c", cached=PROMPT[:96])
        assert there.chosen() == "c"

    def test_a_branch_that_goes_on_prefers_where_its_own_tokens_are(self) -> None:
        going_on, there = branch(tokens=64), Stand()
        there.attach("a", cached=PROMPT)
        there.attach("b", cached=(*PROMPT, *going_on.tokens))
        assert there.chosen(of=going_on) == "b"

    def test_replicas_may_have_blocks_of_different_sizes(self) -> None:
        there = Stand()
        there.attach("a", cached=PROMPT, block_size=128)
        there.attach("b", cached=PROMPT, block_size=16)
        assert there.chosen() == "b"

    def test_the_longer_a_branch_gets_the_more_load_matters(self) -> None:
        there = Stand()
        there.attach("a", load=3, cached=PROMPT)
        there.attach("b")
        assert there.chosen(a_run(left=16)) == "a"
        assert there.chosen(a_run(left=1000)) == "b"

    @pytest.mark.parametrize("field", ["prefill_s_per_token", "decode_s_per_sequence"])
    def test_the_weights_decide(self, field: str) -> None:
        there = Stand(PlacementSettings.model_validate({field: 1.0}))
        there.attach("a", load=3, cached=PROMPT)
        there.attach("b")
        assert there.chosen() == {"p": "a", "d": "b"}[field[0]]

    @given(
        st.lists(
            st.tuples(
                st.integers(0, 12),
                st.integers(0, 160),
                st.integers(1, 10),
                st.sampled_from([16, 32]),
            ),
            min_size=1,
            max_size=8,
        )
    )
    def test_is_the_cheapest_with_a_slot_of_all(
        self, fleet: list[tuple[int, int, int, int]]
    ) -> None:
        there, costs = Stand(), {}
        for number, (load, cached, slots, size) in enumerate(fleet):
            name = f"r{number}"
            there.attach(name, load=load, cached=PROMPT[:cached], slots=slots, block_size=size)
            if load < slots:
                costs[name] = (len(PROMPT) - cached // size * size) * PREFILL + load * PER_RUN
        best = there.choose()
        assert (best is None) == (not costs)
        if best is not None:
            assert best.cost == pytest.approx(costs[best.replica.id])
            assert best.cost == pytest.approx(min(costs.values()))


class TestRoomBeyondTheSlots:
    def test_is_taken_only_when_no_slot_is_free(self) -> None:
        there = Stand()
        full = there.attach("a", load=2, slots=2, cached=PROMPT)
        full.room = 3
        there.roster.pool(full.info).changed(full, 2)
        there.attach("b", load=63)
        assert there.chosen() == "b"
        there.roster.leave("b")
        assert there.chosen() == "a"

    def test_a_slot_that_is_taken_is_no_free_one(self) -> None:
        there = Stand()
        there.attach("a", load=2, slots=2).room = 3
        there.attach("b", load=1, slots=4)
        assert there.roster.free_slots("generate") == 3


class TestKv:
    def test_a_replica_whose_cache_is_full_is_passed_over(self) -> None:
        there = Stand()
        there.attach("a", load=1, kv_tokens=200)
        there.attach("b", load=5)
        assert there.chosen() == "b"

    def test_only_so_many_are_asked_and_then_those_that_have_the_prompt(self) -> None:
        there = Stand(PlacementSettings(max_refusals=2))
        for number in range(4):
            there.attach(f"full{number}", load=1, kv_tokens=200)
        home = there.attach("home", load=3, owner="q", kv_tokens=300)
        there.attach("roomy", load=9)
        assert there.chosen() is None
        home.opened.add("q")
        assert there.chosen() == "home"


class TestInTheFleet:
    def test_a_program_stays_together_while_that_is_faster(self) -> None:
        there = World()
        for name in ("a", "b", "c"):
            there.attach(name, slots=64)
        there.submit(prompt=2000, max_branches=4)
        assert {placed.replica for placed in there.starts()} == {"a"}

    def test_short_prompts_spread(self) -> None:
        there = World()
        for name in ("a", "b", "c"):
            there.attach(name, slots=64)
        there.submit(prompt=8, max_branches=6, policy="even")
        used = [placed.replica for placed in there.starts()]
        assert {name: used.count(name) for name in set(used)} == {"a": 2, "b": 2, "c": 2}

    def test_a_repeated_prompt_goes_where_it_is_cached(self) -> None:
        there = World(lambda *_: Chain(16, "42"))
        there.attach("a", slots=64)
        prompt = tuple(range(2000))
        there.solve("first", prompt=prompt, max_branches=1)
        there.attach("b", slots=64)
        there.submit("again", prompt=prompt, max_branches=1)
        there.submit("new", prompt=8, max_branches=1)
        assert there.starts("again")[0].replica == "a"
        assert there.starts("new")[0].replica == "b"

    def test_a_replica_that_attaches_again_has_an_empty_cache(self) -> None:
        there = World(lambda *_: Chain(16, "42"))
        there.attach("a", slots=64)
        there.attach("b", slots=64)
        prompt = tuple(range(2000))
        there.solve("first", prompt=prompt, max_branches=1)
        there.attach("a")
        there.submit("new", prompt=8, max_branches=1)
        there.submit("again", prompt=prompt, max_branches=1)
        assert there.starts("new")[0].replica == "a"
        assert there.starts("again")[0].replica == "b"
