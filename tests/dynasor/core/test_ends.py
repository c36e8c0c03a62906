"""Programs that end before their work does: deadlines and clients that leave."""

from __future__ import annotations

from typing import Any

import pytest

from dynasor.messages import Stop
from tests.dynasor.core.stands import lengths, world
from tests.dynasor.simulated import CACHED
from tests.dynasor.world import World


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

    @pytest.mark.parametrize("algorithm", ["sample", "self_consistency"])
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
        assert not there.core.replicas

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
