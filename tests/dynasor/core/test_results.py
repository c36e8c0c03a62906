"""What a query gets: answers, policies, usage, progress, errors."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dynasor.errors import Overloaded
from dynasor.messages import Open, Start, Stop
from dynasor.policies import POLICIES
from dynasor.work import Event
from tests.dynasor.core.stands import Defective, FirstAnswer, Register, lengths, world
from tests.dynasor.simulated import CACHED, Chain, answering


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
        assert not any(start.read for start in there.sent(Start))

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


class TestErrors:
    def test_a_defective_policy_ends_its_own_program_only(self, register_policy: Register) -> None:
        register_policy(Defective)
        there = world(lengths(10, 60), slots=4)
        there.submit("bad", policy="defective", max_branches=2)
        there.submit("good", max_branches=2, policy="even")
        there.run()
        assert there.results["bad"].stop == "failed"
        assert there.results["bad"].fault == "ZeroDivisionError: a defect"
        assert there.results["good"].stop == "complete"
        there.steps(2)
        assert not there.running()

    def test_a_defective_algorithm_ends_its_own_program_only(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = world(lengths(10), slots=4)
        there.submit("good", max_branches=2, policy="even")
        there.submit("bad", max_branches=2, policy="even")
        bad = there.core.programs["bad"].algorithm

        def broken(event: Event) -> None:
            raise KeyError(event)

        monkeypatch.setattr(bad, "observe", broken)
        there.run()
        assert there.results["bad"].stop == "failed"
        assert there.results["bad"].fault.startswith("KeyError")
        assert there.results["good"].stop == "complete"

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
        assert "2 programs are in progress (max_programs)" in caught.value.reason
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
