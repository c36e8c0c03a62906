"""Replicas that are lost, and what becomes of their branches."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dynasor.messages import Open, Report, Reset, RunReport
from dynasor.token_ids import pack_tokens
from tests.dynasor.core.stands import lengths, world
from tests.dynasor.world import World


class TestLostReplicas:
    def test_a_branch_that_kills_its_replicas_is_given_up(self) -> None:
        there = world(lengths(400), max_losses=2)
        there.submit("killer", max_branches=1)
        for name in ("b", "c", "d"):
            there.attach(name)
            there.run(until=lambda: any(replica.live for replica in there.replicas.values()))
            victim = next(replica.id for replica in there.replicas.values() if replica.live)
            there.die(victim)
        there.run()
        result = there.results["killer"]
        assert result.stop == "failed"
        assert result.branches[0].runs == 3
        assert "lost 3 times" in result.branches[0].message

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
        there.submit(max_branches=2, prompt=(1,) * 640)
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
        there.run(until=lambda: not there.core.replicas)
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
        assert not core.replicas

    def test_silence_is_noticed_when_the_core_asked_to_be_woken(self) -> None:
        there = World(replica_timeout_s=5.0)
        there.now = 0.3  # 0.3 + 5.0 - 5.0 is less than 0.3
        there.attach("a")
        assert there.core.wake_at == 5.3
        there.pass_time(5.0)
        assert not there.core.replicas
        assert there.core.wake_at is None

    @given(heard=st.floats(0, 1e6), timeout=st.floats(0.01, 600))
    def test_a_tick_in_time_is_never_for_nothing(self, heard: float, timeout: float) -> None:
        there = World(replica_timeout_s=timeout)
        there.now = heard
        there.attach("a")
        due = there.core.wake_at
        assert due is not None
        there.core.tick(due)
        assert not there.core.replicas

    def test_a_replica_that_reports_with_a_gap_has_to_start_anew(self) -> None:
        there = world(lengths(40))
        there.submit(max_branches=2)
        there.steps(2)
        run = there.starts()[0].start.run
        step = there.core.report("a", Report((RunReport(run, 99, pack_tokens([1])),)), there.now)
        assert step.commands["a"] == (Reset(),)
        there.attach("a")
        there.run()
        assert there.results["q"].tokens.kept == 80
