"""The core from submission to result, against a fleet in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.algorithms import ALGORITHMS
from dynasor.errors import Overloaded
from dynasor.messages import Close, Extend, Open, Report, Reset, RunReport, Start, Stop
from dynasor.policies import POLICIES, Policy, ProgramView, Verdict
from dynasor.policies.even import EvenParams
from tests.dynasor.world import CACHED, CHUNK, STEP_S, Chain, World, answering

Register = Callable[[type[Policy]], type[Policy]]


def lengths(*of: int, answer: str = "42") -> Callable[[str, int], Chain]:
    """Branch i has ``of[i]`` tokens, the last one from there on."""
    return lambda _, branch: Chain(of[min(branch, len(of) - 1)], answer)


def world(*args: object, slots: int = 8, **knobs: object) -> World:
    """A world with one replica, "a"."""
    made = World(*args, **knobs)  # type: ignore[arg-type]
    made.attach("a", slots=slots)
    return made


class TestAnswers:
    def test_the_majority_answers(self) -> None:
        result = world(answering("7", "42", "42", "7", "42")).solve(max_branches=5, policy="even")
        assert result.answer is not None and result.answer.text == "42"
        assert result.stop == "complete"
        assert [vote.count for vote in result.certaindex.votes] == [3, 2]
        assert result.chosen in (1, 2, 4)

    def test_every_chain_is_in_the_result(self) -> None:
        result = world(answering("7", None)).solve(max_branches=3, policy="even")
        assert [branch.branch for branch in result.branches] == [0, 1, 2]
        assert {branch.finish for branch in result.branches} == {"stop"}
        assert [branch.answer.text if branch.answer else None for branch in result.branches] == [
            "7",
            None,
            None,
        ]
        assert {branch.replica for branch in result.branches} == {"a"}
        assert {branch.runs for branch in result.branches} == {1}
        assert result.certaindex.abstained == 2

    def test_plain_sampling_returns_all_completions_and_reads_no_answers(self) -> None:
        there = world(answering("42"))
        result = there.solve(algorithm="sample", n=3)
        assert len(result.branches) == 3
        assert result.answer is None
        assert not there.sent(Open)[0].read_answers

    @pytest.mark.parametrize("policy", list(POLICIES))
    def test_completions_are_all_wanted_so_none_waits_for_another(self, policy: str) -> None:
        there = world(slots=300)
        there.submit(algorithm="sample", n=256, policy=policy)
        assert len(there.starts()) == 256

    def test_elapsed_is_the_time_from_submission(self) -> None:
        there = world()
        there.steps(3)
        before = there.now
        result = there.solve()
        assert result.elapsed_s == there.result_at["q"] - before > 0


class TestPolicies:
    def test_threshold_ends_a_program_that_agrees_after_its_first_wave(self) -> None:
        there = world(answering("42"), slots=32)
        result = there.solve(policy="threshold", max_branches=16)
        assert result.stop == "certain"
        assert len(result.branches) == 5
        assert result.certaindex.value == 1.0

    def test_even_runs_all(self) -> None:
        result = world(answering("42"), slots=32).solve(policy="even", max_branches=16)
        assert result.stop == "complete"
        assert len(result.branches) == 16

    def test_threshold_goes_on_while_chains_disagree(self) -> None:
        there = world(answering("1", "2", "3", "4", "5", "42"), slots=32)
        result = there.solve(policy="threshold", max_branches=16)
        assert result.stop == "complete"
        assert len(result.branches) == 16

    def test_a_wave_starts_together_and_the_next_when_it_has_ended(self) -> None:
        there = world(lengths(16, 40), slots=32)
        there.submit(policy={"name": "threshold", "threshold": 1.0, "knob": 3}, max_branches=5)
        assert {placed.start.branch for placed in there.starts()} == {0, 1, 2}
        there.run(until=lambda: there.running() == {1, 2})
        assert len(there.starts()) == 3, "one of the wave is still running"

    def test_queries_choose_their_policy_on_one_cluster(self) -> None:
        there = world(answering("42"), slots=64, policy="threshold")
        there.submit("default")
        there.submit("even", policy="even")
        there.submit("own", policy={"name": "threshold", "knob": 2})
        there.run()
        used = {name: len(result.branches) for name, result in there.results.items()}
        assert used == {"default": 5, "even": 16, "own": 2}

    def test_a_settled_program_takes_its_running_branches_back(
        self, register_policy: Register
    ) -> None:
        register_policy(FirstAnswer)
        there = world(lengths(16, 400))
        result = there.solve(policy="first_answer", max_branches=4)
        assert result.stop == "certain"
        assert len(there.sent(Stop)) == 3
        assert [branch.finish for branch in result.branches] == ["stop", *["stopped"] * 3]
        assert result.tokens.kept == 16
        assert result.tokens.discarded == there.generated["q"] - 16 > 0

    def test_a_chain_that_ended_before_its_stop_arrived_still_counts(
        self, register_policy: Register
    ) -> None:
        register_policy(FirstAnswer)
        there = world(lengths(16, 24))
        there.submit(policy="first_answer", max_branches=2)
        there.apply()
        for _ in range(2):
            there.generate()
            there.report()
        assert there.sent(Stop) == [Stop(there.starts(branch=1)[0].start.run)]
        there.generate()
        there.apply()
        there.report()
        result = there.results["q"]
        assert result.stop == "certain"
        assert [branch.finish for branch in result.branches] == ["stop", "stop"]
        assert [vote.count for vote in result.certaindex.votes] == [2]
        assert result.tokens.kept == 40


class TestDeadlines:
    def test_the_best_answer_so_far_is_returned_in_time(self) -> None:
        there = world(lengths(16, 24, 4000))
        there.submit(max_branches=6, deadline_s=1.0, policy="even")
        due = there.now + 1.0
        there.run()
        result = there.results["q"]
        assert result.stop == "deadline"
        assert result.answer is not None and result.answer.text == "42"
        assert there.result_at["q"] <= due
        assert [branch.finish for branch in result.branches] == ["stop"] * 2 + ["stopped"] * 4
        assert len(there.sent(Stop)) == 4
        assert result.tokens.generated == there.generated["q"]
        assert result.tokens.cached == 6 * CACHED, "the stopped ones were heard out"

    def test_also_when_no_branch_has_ended(self) -> None:
        there = world(lengths(4000))
        result = there.solve(max_branches=3, deadline_s=0.5)
        assert (result.stop, result.answer) == ("deadline", None)
        assert result.chosen is not None
        assert result.branches[result.chosen].tokens

    @pytest.mark.parametrize("algorithm", list(ALGORITHMS))
    def test_shown_is_then_the_longest_chain(self, algorithm: str) -> None:
        there = world(lengths(4000), slots=1)
        there.attach("b", slots=1)
        cap: dict[str, Any] = {"n": 3} if algorithm == "sample" else {"max_branches": 3}
        there.submit(prompt=1, algorithm=algorithm, deadline_s=1.0, **cap)
        there.steps(3)
        there.leave("a")
        there.run()
        result = there.results["q"]
        tokens = [len(branch.tokens) for branch in result.branches]
        assert tokens[1] > tokens[0] > tokens[2] == 0
        assert result.chosen == 1

    def test_also_without_any_replica(self) -> None:
        there = World()
        there.submit(deadline_s=0.5)
        due = there.now + 0.5
        there.run()
        result = there.results["q"]
        assert (result.stop, result.answer, result.tokens.generated) == ("deadline", None, 0)
        assert there.result_at["q"] <= due

    def test_also_when_the_replica_does_not_answer(self) -> None:
        there = world(lengths(400))
        there.submit(deadline_s=1.0)
        due = there.now + 1.0
        there.steps(4)
        there.replicas["a"].silent = True
        there.run()
        assert there.results["q"].stop == "deadline"
        assert there.result_at["q"] <= due

    def test_one_shorter_than_the_time_to_settle_is_kept_too(self) -> None:
        there = world(lengths(400), settle_s=5.0)
        there.submit(deadline_s=0.2)
        due = there.now + 0.2
        there.step()
        there.replicas["a"].silent = True
        there.run()
        assert there.result_at["q"] <= due

    def test_a_cancelled_query_does_not_outlive_its_deadline(self) -> None:
        there = world(lengths(400), settle_s=5.0)
        there.submit(deadline_s=6.0)
        due = there.now + 6.0
        there.step()
        there.replicas["a"].silent = True
        there.pass_time(0.9)
        there.cancel()
        there.run()
        assert there.results["q"].stop == "cancelled"
        assert there.result_at["q"] <= due

    def test_of_a_query_whose_replica_is_lost_in_the_same_moment(self) -> None:
        there = world(lengths(400), replica_timeout_s=1.0, settle_s=0.0)
        there.submit(deadline_s=1.0)
        there.pass_time(1.0)
        assert there.results["q"].stop == "deadline"
        assert there.core.replicas == 0

    def test_one_that_is_not_reached_changes_nothing(self) -> None:
        assert world().solve(deadline_s=60).stop == "certain"


class TestCancel:
    def test_stops_all_runs_and_returns_what_there_is(self) -> None:
        there = world(lengths(16, 400))
        there.submit(max_branches=4)
        there.run(until=lambda: there.running() == {1, 2, 3})
        there.cancel()
        assert [placed.stopped for placed in there.starts()] == [False, True, True, True]
        there.run()
        result = there.results["q"]
        assert result.stop == "cancelled"
        assert result.answer is not None
        assert result.tokens.generated == there.generated["q"]
        assert there.running() == set()

    def test_of_a_query_that_waits_ends_it_at_once(self) -> None:
        there = World()
        there.submit()
        there.cancel()
        assert there.results["q"].stop == "cancelled"

    def test_twice_gives_one_result(self) -> None:
        there = world(lengths(400))
        there.submit()
        there.steps(2)
        there.cancel()
        there.cancel()
        there.run()
        there.cancel()
        assert list(there.results) == ["q"]

    def test_of_an_unknown_query_is_no_error(self) -> None:
        World().cancel("nobody")

    def test_frees_the_slots_also_when_the_result_did_not_wait_for_them(self) -> None:
        there = world(lengths(400), slots=4, settle_s=0.0)
        there.submit("first", max_branches=4)
        there.steps(2)
        there.cancel("first")
        assert "first" in there.results
        there.submit("second", max_branches=4)
        assert there.starts("second") == []
        there.run(until=lambda: there.running("second") == {0, 1, 2, 3})

    def test_frees_the_slots(self) -> None:
        there = world(lengths(400), slots=4)
        there.submit("first", max_branches=4)
        there.submit("second", max_branches=4)
        there.steps(2)
        assert there.running("second") == set()
        there.cancel("first")
        there.run(until=lambda: there.running("second") == {0, 1, 2, 3})


class TestLostReplicas:
    def test_branches_go_on_elsewhere_from_the_last_reported_tokens(self) -> None:
        there = world(lengths(100), replica_timeout_s=0.5)
        there.submit(max_branches=3)
        there.run(until=lambda: there.credited["q", 0] >= 24)
        known = there.credited["q", 0]
        there.die("a")
        there.attach("b")
        there.run()
        result = there.results["q"]
        assert [placed.replica for placed in there.starts(branch=0)] == ["a", "b"]
        assert len(there.starts(branch=0)[1].start.generated) == known
        assert {branch.replica for branch in result.branches} == {"b"}
        assert {branch.runs for branch in result.branches} == {2}
        assert result.tokens.kept == 300, "tokens from both replicas, none twice"

    def test_a_replica_that_leaves_is_replaced_at_once(self) -> None:
        there = world(lengths(100))
        there.attach("b", slots=8)
        there.submit(max_branches=2, prompt=(1,) * 160)
        there.steps(3)
        (gone,) = {placed.replica for placed in there.starts()}
        there.leave(gone)
        assert {placed.replica for placed in there.starts()} == {"a", "b"}
        there.run()
        assert there.results["q"].stop == "complete"

    def test_late_reports_of_a_run_that_was_given_up_are_ignored(self) -> None:
        there = world(lengths(100), replica_timeout_s=0.5)
        there.submit(max_branches=1)
        there.steps(3)
        there.replicas["a"].silent = True
        there.attach("b")
        there.run(until=lambda: len(there.starts()) == 2)
        there.generate("a", 500)  # it has long been done with the branch by now
        there.replicas["a"].silent = False
        there.report("a")
        assert there.sent(Reset), "who was given up is told so"
        assert there.running() == {0}, "the new run goes on"
        there.run()
        assert there.results["q"].branches[0].replica == "b"
        assert there.results["q"].tokens.kept == 100

    def test_a_late_report_of_an_earlier_attachment_is_ignored(self) -> None:
        there = world(lengths(100))
        there.submit(max_branches=1)
        there.steps(2)
        there.replicas["a"].holding = True
        there.steps(6)
        assert there.replicas["a"].held
        known = there.credited["q", 0]
        there.attach("a")
        there.release("a")
        assert there.credited["q", 0] == known
        there.run()
        assert there.results["q"].tokens.kept == 100

    def test_a_replica_that_attaches_again_has_lost_its_runs(self) -> None:
        there = world(lengths(100))
        there.submit(max_branches=2)
        there.steps(4)
        there.attach("a")
        assert there.sent(Open)[1:] == [there.sent(Open)[0]], "it gets the prompt again"
        there.run()
        assert {branch.runs for branch in there.results["q"].branches} == {2}
        assert there.results["q"].tokens.kept == 200

    def test_a_report_that_arrives_twice_counts_once(self) -> None:
        there = world(lengths(20))
        there.submit(max_branches=2)
        for _ in range(6):
            there.apply()
            there.generate()
            there.report(times=3)
        assert there.results["q"].tokens.kept == 40

    def test_a_branch_that_lost_only_its_end_ends_elsewhere(self) -> None:
        there = world(lengths(400), lease_tokens=64)
        there.submit(max_branches=1, sampling={"max_tokens": 24})
        there.run(until=lambda: there.credited["q", 0] == 16)
        there.generate()
        there.die("a")
        there.attach("b")
        there.run()
        assert there.results["q"].branches[0].finish == "length"
        assert there.results["q"].tokens.kept == 24

    def test_no_replica_is_a_wait_not_an_end(self) -> None:
        there = world(lengths(40), replica_timeout_s=0.5)
        there.submit()
        there.die("a")
        there.run(until=lambda: there.core.replicas == 0)
        there.pass_time(100.0)
        assert there.core.programs
        there.attach("b")
        there.run()
        assert there.results["q"].stop == "certain"

    def test_all_lost_while_a_program_settles(self) -> None:
        there = world(lengths(400), settle_s=5.0)
        there.submit()
        there.steps(2)
        there.cancel()
        there.leave("a")
        assert there.results["q"].stop == "cancelled"

    def test_a_stranger_is_asked_to_attach(self) -> None:
        core = World().core
        assert core.heard("x", 1.0).commands == {"x": (Reset(),)}
        assert core.report("x", Report(), 2.0).commands == {"x": (Reset(),)}
        assert core.replicas == 0

    def test_silence_is_noticed_when_the_core_asked_to_be_woken(self) -> None:
        there = World(replica_timeout_s=5.0)
        there.now = 0.3  # 0.3 + 5.0 - 5.0 is less than 0.3
        there.attach("a")
        assert there.core.wake_at == 5.3
        there.pass_time(5.0)
        assert there.core.replicas == 0
        assert there.core.wake_at is None

    @given(heard=st.floats(0, 1e6), timeout=st.floats(0.01, 600))
    def test_a_tick_in_time_is_never_for_nothing(self, heard: float, timeout: float) -> None:
        there = World(replica_timeout_s=timeout)
        there.now = heard
        there.attach("a")
        due = there.core.wake_at
        assert due is not None
        there.core.tick(due)
        assert there.core.replicas == 0

    def test_a_replica_that_reports_with_a_gap_has_to_start_anew(self) -> None:
        there = world(lengths(40))
        there.submit(max_branches=2)
        there.steps(2)
        run = there.starts()[0].start.run
        step = there.core.report("a", Report((RunReport(run, 99, (1,)),)), there.now)
        assert step.commands["a"] == (Reset(),)
        there.attach("a")
        there.run()
        assert there.results["q"].tokens.kept == 80


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
        there.submit(max_branches=3)
        assert len(there.starts()) == 2, "one prompt and two leases fill it"
        there.run()
        assert there.results["q"].tokens.kept == 120

    def test_the_prompt_is_charged_once_per_program(self) -> None:
        there = World(lengths(40), lease_tokens=16)
        there.attach("a", kv_tokens=100 + 4 * 16)
        there.submit(prompt=100, max_branches=4)
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


class TestErrors:
    def test_a_query_that_no_engine_takes_fails(self) -> None:
        there = world(lambda *_: Chain(0, end="error"))
        result = there.solve(max_branches=3)
        assert (result.stop, result.answer) == ("failed", None)
        assert {branch.finish for branch in result.branches} == {"error"}
        assert {branch.message for branch in result.branches} == {"refused by the engine"}

    def test_one_refused_branch_does_not_fail_the_query(self) -> None:
        there = world(
            lambda _, branch: Chain(12, end="error") if branch == 1 else Chain(20, answer="42")
        )
        result = there.solve(max_branches=3, policy="even")
        assert result.stop == "complete"
        assert result.answer is not None
        assert (result.tokens.kept, result.tokens.discarded) == (40, 12)

    def test_more_programs_than_allowed_are_refused_and_nothing_changes(self) -> None:
        there = world(lengths(400), max_programs=2)
        there.submit("first")
        there.submit("second")
        before = len(there.journal)
        with pytest.raises(Overloaded) as caught:
            there.submit("third")
        assert caught.value.limit == 2
        assert caught.value.retry_after_s > 0
        assert set(there.core.programs) == {"first", "second"}
        assert len(there.journal) == before
        there.cancel("first")
        there.run(until=lambda: "first" in there.results)
        there.submit("third")

    def test_an_id_in_use_is_refused_and_nothing_changes(self) -> None:
        there = world(lengths(400))
        there.submit("q")
        with pytest.raises(ValueError, match="'q' is in use"):
            there.core.submit(there.submissions["q"], there.now)
        assert len(there.sent(Open)) == 1

    def test_an_id_is_free_again_after_the_result(self) -> None:
        there = world(lengths(100), settle_s=0.1)
        first = there.solve(deadline_s=2.0, max_branches=1)
        assert there.now < 102.0
        second = there.solve(max_branches=2)
        assert (first.stop, second.stop) == ("complete", "complete")
        assert len(second.branches) == 2
        # The first one's deadline, 102.0, passes while the third runs.
        there.submit(max_branches=1)
        there.pass_time(2.0 - (there.now - 100.0) + 0.01)
        assert "q" in there.core.programs

    def test_a_run_left_over_from_an_earlier_query_of_the_same_id_is_not_mixed_in(self) -> None:
        there = world(lengths(100), settle_s=0.0)
        there.submit(max_branches=3)
        there.steps(3)
        there.cancel()
        assert there.results["q"].stop == "cancelled", "it does not wait for the last tokens"
        there.submit(max_branches=2)
        there.steps(1)
        there.attach("a")
        there.run()
        assert there.results["q"].tokens.kept == 200


class TestUsage:
    def test_counts_every_token_that_was_generated(self) -> None:
        there = world(lengths(16, 24, 400), slots=4)
        there.attach("b", slots=2)
        there.submit(max_branches=8, policy="even", deadline_s=1.0)
        there.run()
        tokens = there.results["q"].tokens
        assert tokens.generated == there.generated["q"]
        assert tokens.kept == 40
        assert tokens.prompt == 32

    def test_adds_up_what_the_caches_supplied(self) -> None:
        result = world(lengths(16)).solve(max_branches=3)
        assert result.tokens.cached == 3 * CACHED
        assert {branch.cached_tokens for branch in result.branches} == {CACHED}

    def test_after_the_result_nothing_is_counted_any_more(self) -> None:
        there = world(lengths(400), settle_s=0.0)
        there.submit(max_branches=2)
        there.steps(3)
        there.cancel()
        assert there.results["q"].tokens.discarded == sum(there.credited.values())
        there.steps(2)
        assert there.replicas["a"].open == set(), "its slots are free all the same"


class TestProgress:
    def test_is_shown_to_those_who_watch(self) -> None:
        there = world(lengths(200), progress_period_s=0.1)
        there.submit("watched", watched=True, max_branches=2)
        there.submit("blind", max_branches=2)
        there.run()
        assert {progress.query_id for progress in there.progress} == {"watched"}
        generated = [progress.generated for progress in there.progress]
        assert generated == sorted(generated)
        assert generated[-1] > 0

    def test_not_more_often_than_the_period(self) -> None:
        there = world(lengths(200), progress_period_s=0.3)
        there.submit(watched=True, max_branches=2)
        there.run()
        times = [progress.elapsed_s for progress in there.progress]
        assert len(times) > 2
        assert all(two - one >= 0.3 - 1e-9 for one, two in pairwise(times))

    def test_says_how_far_each_branch_is(self) -> None:
        there = world(lengths(16, 400), slots=2, progress_period_s=0.01)
        there.submit(watched=True, max_branches=3)
        there.run(until=lambda: there.running() == {1, 2})
        there.step()
        states = {view.branch: view for view in there.progress[-1].branches}
        assert (states[0].state, states[0].tokens, states[0].answer) == ("stop", 16, "42")
        assert (states[1].state, states[1].answer) == ("running", None)
        assert states[1].tokens > 0

    def test_does_not_change_what_is_decided(self) -> None:
        outcomes = []
        for watched in (False, True):
            there = world(lengths(16, 40), slots=2)
            there.submit(watched=watched, max_branches=6)
            there.run()
            outcomes.append((there.commands, there.results))
        assert outcomes[0] == outcomes[1]


class TestSampling:
    def test_branches_are_seeded_like_the_children_of_one_request(self) -> None:
        there = world()
        there.solve(max_branches=4, sampling={"seed": 7}, policy="even")
        assert [placed.start.seed for placed in there.starts()] == [7, 8, 9, 10]

    def test_a_run_that_goes_on_has_a_seed_of_its_own(self) -> None:
        there = world(lengths(100))
        there.submit(max_branches=2, sampling={"seed": 7})
        for _ in range(3):
            there.steps(3)
            there.attach("a")
        there.run()
        seeds = [placed.start.seed for placed in there.starts()]
        assert len(set(seeds)) == len(seeds) == 8
        assert None not in seeds

    @pytest.mark.parametrize("seed", [0, 2**63 - 1])
    def test_every_seed_fits_the_engine(self, seed: int) -> None:
        there = world()
        there.solve(max_branches=4, sampling={"seed": seed}, policy="even")
        seeds = {placed.start.seed for placed in there.starts()}
        assert len(seeds) == 4
        assert all(seed is not None and 0 <= seed < 2**63 for seed in seeds)

    def test_no_seed_is_no_seed(self) -> None:
        there = world()
        there.solve(max_branches=2)
        assert {placed.start.seed for placed in there.starts()} == {None}

    def test_what_the_engine_needs_to_know_is_sent_once(self) -> None:
        there = world()
        there.solve(max_branches=4, sampling={"temperature": 0.5, "stop": ["###"]}, policy="even")
        (opened,) = there.sent(Open)
        assert opened.sampling["temperature"] == 0.5
        assert opened.sampling["stop"] == ["###"]
        assert not {"max_tokens", "seed"} & set(opened.sampling), "these are each run's own"
        assert there.sent(Close) == [Close("q")]

    def test_max_tokens_is_the_query_s_limit(self) -> None:
        there = world(lengths(400))
        result = there.solve(max_branches=2, sampling={"max_tokens": 24})
        assert {placed.start.max_tokens for placed in there.starts()} == {24}
        assert {branch.finish for branch in result.branches} == {"length"}
        assert result.tokens.kept == 48

    def test_or_what_the_context_length_leaves(self) -> None:
        for asked in (None, 5000):
            there = World(lengths(400))
            there.attach("a", max_model_len=100)
            there.solve(prompt=60, max_branches=2, sampling={"max_tokens": asked})
            assert {placed.start.max_tokens for placed in there.starts()} == {40}


class TestClock:
    def test_a_core_without_work_need_not_be_woken(self) -> None:
        there = World()
        assert there.core.wake_at is None
        there.submit(deadline_s=3.0)
        assert there.core.wake_at is not None and there.core.wake_at <= there.now + 3.0
        there.run()
        assert there.core.wake_at is None

    def test_a_program_that_has_ended_wakes_nobody(self) -> None:
        there = world(replica_timeout_s=600.0)
        there.solve()
        assert there.core.wake_at == there.replicas["a"].heard_at + 600.0

    def test_reports_of_all_replicas_share_the_rate(self) -> None:
        there = World(reports_per_s=100)
        assert there.core.report_period_s == 0.01
        for name in "abcd":
            there.attach(name)
        assert there.core.report_period_s == 0.04


class TestWorld:
    """The helper itself: it does take time, and catches what it should."""

    def test_chunks(self) -> None:
        there = world(lengths(CHUNK * 3))
        result = there.solve(max_branches=1)
        assert result.elapsed_s == pytest.approx(STEP_S * 3)

    def test_a_second_start_of_a_branch_is_caught(self) -> None:
        there = world(lengths(400))
        there.submit(max_branches=1)
        start = there.starts()[0].start
        twin = Start(99, "q", 0, (), (), start.lease, start.max_tokens)
        with pytest.raises(AssertionError, match="second start"):
            there._check("a", there.replicas["a"], twin)


class FirstAnswer(Policy):
    """Settled as soon as there is any answer."""

    name = "first_answer"
    Params = EvenParams

    def verdict(self, program: ProgramView) -> Verdict:
        return Verdict(None, settled=bool(program.certaindex().votes))


class OneLease(Policy):
    """Everything is started; nobody goes on beyond the first lease, unless it is generous."""

    name = "one_lease"
    Params = EvenParams
    generous = False

    def verdict(self, program: ProgramView) -> Verdict:
        return Verdict(None)

    def renew(self, program: ProgramView) -> bool:
        return self.generous or program.generated == 0
