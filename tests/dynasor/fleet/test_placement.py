"""Which replica a branch runs on: what is cached there against what runs there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms.self_consistency import SelfConsistency, SelfConsistencyParams
from dynasor.branch import Branch
from dynasor.fleet.placement import Placement
from dynasor.fleet.prefix import PrefixIndex, block_hashes
from dynasor.fleet.replica import Replica, Run
from dynasor.inputs import Submit
from dynasor.policies.even import Even, EvenParams
from dynasor.program import Program
from dynasor.query import Query
from dynasor.settings import PlacementSettings
from dynasor.work import Generate
from tests.dynasor.simulated import Chain, info
from tests.dynasor.world import World

PROMPT = tuple(range(160))
LEASE = 64
PREFILL = PlacementSettings().prefill_s_per_token
PER_RUN = PlacementSettings().decode_s_per_sequence * PlacementSettings().expected_tokens


def program(prompt: tuple[int, ...] = PROMPT) -> Program:
    algorithm = SelfConsistency(SelfConsistencyParams())
    submission = Submit("q", Query(prompt="?"), prompt)
    return Program(submission, 0, algorithm, Even(EvenParams()), 0.0)


def branch(tokens: int = 0) -> Branch:
    return Branch(Generate(0), tokens=list(range(1000, 1000 + tokens)))


def replica(
    name: str, *, load: int = 0, cached: tuple[int, ...] = (), owner: str = "other", **what: int
) -> Replica:
    made = Replica(name, info(**{"slots": 64, **what}), 0.0, PrefixIndex(1000))
    for number in range(load):
        made.runs[number] = Run(number, owner, number, LEASE, LEASE, prompt=10, prefix=0)
    made.prefixes.add(block_hashes(cached, made.info.block_size))
    return made


def chosen(*replicas: Replica, of: Branch | None = None, **knobs: float) -> str | None:
    placement = Placement(PlacementSettings.model_validate(knobs))
    best = placement.choose(program(), of or branch(), LEASE, replicas)
    return best.id if best is not None else None


class TestChoice:
    def test_no_replica_no_room(self) -> None:
        assert chosen() is None

    def test_full_replicas_are_no_choice(self) -> None:
        assert chosen(replica("a", load=2, slots=2)) is None
        assert chosen(replica("a", load=2, slots=2), replica("b", load=9)) == "b"

    def test_less_load_is_better(self) -> None:
        assert chosen(replica("a", load=3), replica("b", load=2)) == "b"

    def test_a_cached_prompt_is_better(self) -> None:
        assert chosen(replica("a"), replica("b", cached=PROMPT)) == "b"

    def test_equal_costs_go_to_the_smaller_id_whatever_the_order(self) -> None:
        assert chosen(replica("b"), replica("a"), replica("c")) == "a"

    def test_affinity_is_left_when_another_replica_is_faster_in_total(self) -> None:
        saved = len(PROMPT) * PREFILL
        worth = int(saved / PER_RUN)
        assert worth >= 1
        assert chosen(replica("a"), replica("b", load=worth, cached=PROMPT)) == "b"
        assert chosen(replica("a"), replica("b", load=worth + 1, cached=PROMPT)) == "a"

    def test_only_whole_blocks_are_cached(self) -> None:
        half = replica("b", cached=PROMPT[:87])
        more = replica("c", cached=PROMPT[:96])
        assert chosen(replica("a"), half) == "b"
        assert chosen(replica("a"), half, more) == "c"
        assert chosen(replica("b", cached=PROMPT[:87]), replica("a", cached=PROMPT[:80])) == "a"

    def test_a_branch_that_goes_on_prefers_where_its_own_tokens_are(self) -> None:
        going_on = branch(tokens=64)
        own = (*PROMPT, *going_on.tokens)
        assert chosen(replica("a", cached=PROMPT), replica("b", cached=own), of=going_on) == "b"

    def test_replicas_may_have_blocks_of_different_sizes(self) -> None:
        coarse = replica("a", cached=PROMPT, block_size=128)
        fine = replica("b", cached=PROMPT, block_size=16)
        assert chosen(coarse, fine) == "b"

    @pytest.mark.parametrize("field", ["prefill_s_per_token", "decode_s_per_sequence"])
    def test_the_weights_decide(self, field: str) -> None:
        cached, idle = replica("a", load=3, cached=PROMPT), replica("b")
        assert chosen(cached, idle, **{field: 1.0}) == {"p": "a", "d": "b"}[field[0]]

    @given(
        st.lists(
            st.tuples(st.integers(0, 12), st.integers(0, 160), st.integers(1, 10)),
            min_size=1,
            max_size=6,
        )
    )
    def test_is_the_cheapest_with_room(self, fleet: list[tuple[int, int, int]]) -> None:
        replicas, costs = [], {}
        for number, (load, cached, slots) in enumerate(fleet):
            name = f"r{number}"
            replicas.append(replica(name, load=load, cached=PROMPT[:cached], slots=slots))
            if load < slots:
                uncached = len(PROMPT) - cached // 16 * 16
                costs[name] = uncached * PREFILL + load * PER_RUN
        best = chosen(*replicas)
        if not costs:
            assert best is None
        else:
            assert best is not None
            assert costs[best] == pytest.approx(min(costs.values()))
            assert chosen(*reversed(replicas)) == best


class TestRoom:
    def test_leases_and_prompts_count_against_the_cache(self) -> None:
        there = replica("a", load=2, kv_tokens=10 + 2 * LEASE + 160 + LEASE)
        assert there.kv_reserved == 10 + 2 * LEASE
        assert there.fits("generate", "q", 160, LEASE)
        assert not there.fits("generate", "q", 161, LEASE)

    def test_a_prompt_that_is_there_already_is_not_counted_again(self) -> None:
        there = replica("a", load=1, owner="q", kv_tokens=10 + 2 * LEASE)
        assert there.fits("generate", "q", 10, LEASE)
        assert not there.fits("generate", "other", 10, LEASE)

    def test_a_replica_takes_only_what_it_serves(self) -> None:
        assert not replica("a").fits("reward", "q", 10, LEASE)

    def test_an_idle_replica_takes_anything(self) -> None:
        assert replica("a", kv_tokens=1).fits("generate", "q", 100_000, LEASE)
        assert not replica("a", kv_tokens=1, slots=0).fits("generate", "q", 1, 1)


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
        there.attach("0", slots=64)
        there.submit("again", prompt=prompt, max_branches=1)
        there.submit("new", prompt=8, max_branches=1)
        assert there.starts("again")[0].replica == "a"
        assert there.starts("new")[0].replica == "0"

    def test_a_replica_that_attaches_again_has_an_empty_cache(self) -> None:
        there = World(lambda *_: Chain(16, "42"))
        there.attach("b", slots=64)
        prompt = tuple(range(2000))
        there.solve("first", prompt=prompt, max_branches=1)
        there.attach("a", slots=64)
        there.attach("b")
        there.submit("again", prompt=prompt, max_branches=1)
        assert there.starts("again")[0].replica == "a"
