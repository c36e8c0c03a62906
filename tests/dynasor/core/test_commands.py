"""What engines are told, and when the core wants to be woken."""

from __future__ import annotations

import pytest

from dynasor.messages import Close, Open, Start
from tests.dynasor.core.stands import lengths, world
from tests.dynasor.world import CHUNK, STEP_S, World


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
