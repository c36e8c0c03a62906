"""Who runs when: leases, order, room."""

from __future__ import annotations

from itertools import pairwise

from dynasor.messages import Extend
from tests.dynasor.core.stands import OneLease, Register, lengths, world
from tests.dynasor.simulated import CACHED
from tests.dynasor.world import World


class TestLeases:
    def test_are_renewed_ahead_of_time(self) -> None:
        there = world(lengths(100), lease_tokens=32)
        result = there.solve(max_branches=2)
        assert {branch.runs for branch in result.branches} == {1}, "never waited for a lease"
        assert there.sent(Extend)
        for placed in there.starts():
            assert placed.start.lease == 32

    def test_no_lease_goes_beyond_the_limit(self) -> None:
        there = world(lengths(400), lease_tokens=32)
        result = there.solve(max_branches=1, sampling={"max_tokens": 40})
        assert [extend.lease for extend in there.sent(Extend)] == [40]
        assert result.branches[0].finish == "length"
        assert len(result.branches[0].tokens) == 40

    def test_every_extension_extends(self) -> None:
        there = world(lengths(100), lease_tokens=32, renew_at=1.0)
        there.attach("b")
        there.solve(prompt=8, max_branches=2)
        assert {placed.replica for placed in there.starts()} == {"a", "b"}
        for run in there.placed:
            leases = [extend.lease for extend in there.sent(Extend) if extend.run == run]
            assert all(one < two for one, two in pairwise([32, *leases]))

    def test_a_branch_whose_lease_is_not_renewed_pauses_and_goes_on_with_its_tokens(
        self, register_policy: Register
    ) -> None:
        register_policy(OneLease)
        OneLease.generous = False
        there = world(lengths(100), lease_tokens=16)
        there.submit(policy="one_lease", max_branches=2)
        there.run(until=lambda: not there.running() and there.credited["q", 1] == 16)
        there.steps(20)
        assert len(there.starts()) == 2, "nothing runs while the policy says no"
        assert there.core.programs, "it waits; it has not ended"
        there.submit("other", max_branches=2)
        there.run(until=lambda: "other" in there.results)
        assert there.results["other"].answer is not None, "others don't wait for it"
        OneLease.generous = True
        there.run()
        result = there.results["q"]
        assert {len(placed.start.generated) for placed in there.starts()} == {0, 16}
        assert {branch.runs for branch in result.branches} == {2}
        assert (result.stop, result.tokens.kept) == ("complete", 200)
        assert result.tokens.cached == 4 * CACHED

    def test_a_paused_program_is_cut_by_its_deadline(self, register_policy: Register) -> None:
        register_policy(OneLease)
        OneLease.generous = False
        there = world(lengths(100), lease_tokens=16)
        result = there.solve(policy="one_lease", max_branches=2, deadline_s=2.0)
        assert (result.stop, result.tokens.discarded) == ("deadline", 32)


class TestQueue:
    def test_a_full_fleet_serves_in_order_of_arrival(self) -> None:
        there = world(lengths(40), slots=2)
        for name in ("first", "second", "third"):
            there.submit(name, max_branches=2)
        there.run()
        order = [placed.start.program for placed in there.placed.values()]
        assert order == ["first"] * 2 + ["second"] * 2 + ["third"] * 2
        assert sorted(there.result_at, key=there.result_at.__getitem__) == [
            "first",
            "second",
            "third",
        ]

    def test_the_branches_of_one_program_stay_together(self) -> None:
        there = world(lengths(16, 40), slots=3)
        there.submit("first", max_branches=4)
        there.submit("second", max_branches=2)
        there.run(until=lambda: bool(there.starts("second")))
        assert len(there.starts("first")) == 4

    def test_replicas_that_come_later_take_what_waits(self) -> None:
        there = world(lengths(400), slots=1)
        there.submit(max_branches=4)
        assert len(there.starts()) == 1
        there.attach("b", slots=2)
        assert len(there.starts()) == 3

    def test_kv_room_is_not_promised_twice(self) -> None:
        there = World(lengths(40), lease_tokens=64)
        there.attach("a", kv_tokens=32 + 64 + 64)
        there.submit(max_branches=3, sampling={"max_tokens": 64})
        assert len(there.starts()) == 2, "one prompt and two branches fill it"
        there.run()
        assert there.results["q"].tokens.kept == 120

    def test_the_prompt_is_charged_once_per_program(self) -> None:
        there = World(lengths(40), lease_tokens=16)
        there.attach("a", kv_tokens=100 + 4 * 16)
        there.submit(prompt=100, max_branches=4, sampling={"max_tokens": 16})
        assert len(there.starts()) == 4

    def test_a_lease_is_charged_no_further_than_the_branch_may_go(self) -> None:
        there = World(lengths(40), lease_tokens=256)
        there.attach("a", kv_tokens=32 + 4 * 10)
        there.submit(max_branches=4, sampling={"max_tokens": 10})
        assert len(there.starts()) == 4

    def test_an_idle_replica_takes_what_exceeds_its_cache(self) -> None:
        there = World(lengths(40), lease_tokens=64)
        there.attach("a", kv_tokens=50)
        there.submit("big", prompt=100, max_branches=2)
        there.submit("small", prompt=1, max_branches=1)
        assert [placed.start.program for placed in there.placed.values()] == ["big"]
        there.run()
        assert set(there.results) == {"big", "small"}

    def test_the_head_of_the_queue_is_not_overtaken(self) -> None:
        there = World(lengths(40), lease_tokens=64)
        there.attach("a", kv_tokens=200)
        there.submit("runs", prompt=32, max_branches=1)
        there.submit("big", prompt=120, max_branches=1)
        there.submit("small", prompt=8, max_branches=1)
        assert [placed.start.program for placed in there.placed.values()] == ["runs"]
        there.run()
        order = [placed.start.program for placed in there.placed.values()]
        assert order == ["runs", "big", "small"]
