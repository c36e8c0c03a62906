"""The budget from outside: limits, efforts, exploration, and numbers about it."""

from __future__ import annotations

from typing import Any

import pytest

from dynasor.budget.accounts import RateLimit
from dynasor.budget.ledger import LimitSettings
from dynasor.errors import Overloaded
from dynasor.queue.settings import QueueSettings
from dynasor.value.episode import Episode
from tests.dynasor.core.stands import lengths, world
from tests.dynasor.simulated import Chain
from tests.dynasor.world import World


class TestLimitsOfTokens:
    def test_a_query_ends_with_its_best_answer_when_its_tokens_are_used_up(self) -> None:
        there = world(lengths(16, 24, 4000), lease_tokens=32)
        result = there.solve(max_branches=3, policy="even", max_total_tokens=150)
        assert result.stop == "budget"
        assert result.answer is not None and result.answer.text == "42"
        assert 100 < result.tokens.generated <= 150

    def test_what_was_not_used_of_a_lease_can_be_used_by_others(self) -> None:
        there = world(lengths(10), lease_tokens=64)
        result = there.solve(max_branches=8, policy="even", max_total_tokens=80)
        assert (result.stop, result.tokens.kept) == ("complete", 80)

    def test_the_clusters_limit_holds_for_a_query_that_names_a_higher_one(self) -> None:
        there = world(lengths(4000), limits=LimitSettings(query_tokens=60), lease_tokens=16)
        result = there.solve(max_branches=2, max_total_tokens=10_000)
        assert (result.stop, result.tokens.generated) == ("budget", 60)

    def test_a_tenant_waits_for_its_bucket_while_others_go_on(self) -> None:
        limits = LimitSettings(tenants={"slow": RateLimit(tokens_per_s=20, burst_tokens=40)})
        there = world(lengths(40), limits=limits, lease_tokens=40)
        there.submit("slow", max_branches=4, policy="even", tenant="slow")
        there.submit("other", max_branches=4, policy="even")
        begin = there.now
        there.run()
        assert there.result_at["other"] - begin < 1.0
        assert there.result_at["slow"] - begin >= (4 * 40 - 40) / 20
        assert there.results["slow"].tokens.kept == 160, "late, but all of it"


class TestEffort:
    @pytest.mark.parametrize(("effort", "chains"), [("none", 1), ("minimal", 4), ("low", 8)])
    def test_caps_the_units_that_begin(self, effort: str, chains: int) -> None:
        result = world(lengths(16)).solve(max_branches=16, policy="even", effort=effort)
        assert (result.stop, len(result.branches)) == ("complete", chains)

    @pytest.mark.parametrize("algorithm", ["a_star", "best_of_n", "mcts", "rebase", "slim_sc"])
    def test_leaves_every_algorithm_an_answer(self, algorithm: str) -> None:
        there = World(lambda *_: Chain(16, "42"))
        there.attach("a", services=("generate", "reward"))
        result = there.solve(algorithm=algorithm, effort="none", policy="even")
        assert result.stop in ("complete", "certain")
        assert result.answer is not None and result.answer.text == "42"

    def test_is_no_cap_where_work_has_no_units_to_count(self) -> None:
        result = world(lengths(16)).solve(algorithm="sample", n=3, effort="none")
        assert len(result.branches) == 3


def answers(query_id: str, branch: int) -> Chain:
    return Chain(16, "7" if branch % 4 == 3 else "42")


class TestTenants:
    def test_one_out_of_tokens_costs_others_nothing(self) -> None:
        limits = LimitSettings(tenants={"slow": RateLimit(tokens_per_s=5, burst_tokens=16)})
        there = world(lengths(16), limits=limits, queue=QueueSettings(max_wait_s=0.5))
        for number in range(6):
            there.submit(f"s{number}", max_branches=4, policy="even", tenant="slow")
        there.steps(40)
        assert there.core.stats().price == 0.0
        begin = there.now
        there.submit("other", max_branches=4, policy="even", deadline_s=5)
        there.run(until=lambda: "other" in there.results)
        assert there.result_at["other"] - begin < 0.5
        assert there.results["other"].stop == "complete"
        there.run()
        assert all(result.tokens.kept == 64 for result in there.results.values())


class TestExploration:
    def test_a_share_of_programs_is_run_to_the_cap_and_learned_from(self) -> None:
        there = world(answers, explore_share=0.25)
        for number in range(16):
            there.submit(f"q{number}", max_branches=8, policy="value")
            there.run()
        full = [result for result in there.results.values() if len(result.branches) == 8]
        assert len(full) >= 4
        assert there.core.stats().explored == 4
        assert there.core.values.document() != World().core.values.document()

    def test_of_a_chain_that_is_probed_learns_what_the_chain_itself_says(self) -> None:
        there = world(
            lambda _, branch: Chain(40 if branch == 0 else 4, "7" if branch == 0 else "42"),
            explore_share=1.0,
        )
        learned: list[Episode] = []
        there.core.values.learn = learned.append  # type: ignore[method-assign]
        result = there.solve(algorithm="chain_of_thought", probe_every=8, policy="value")
        (episode,) = learned
        assert result.answer is not None
        assert episode.moments[-1].answer == result.answer.key

    def test_only_where_the_policy_learns(self) -> None:
        there = world(answers, explore_share=1.0)
        there.solve(max_branches=8, policy="beta")
        assert there.core.stats().explored == 0

    def test_programs_that_were_cut_teach_nothing(self) -> None:
        there = world(lengths(4000), explore_share=1.0)
        there.solve(max_branches=8, policy="value", deadline_s=1.0)
        assert there.core.stats().explored == 0

    def test_a_loaded_model_is_what_programs_go_by(self) -> None:
        taught = world(answers, explore_share=1.0)
        for number in range(30):
            taught.submit(f"q{number}", max_branches=8, policy="value")
        taught.run()
        there = world(answers, explore_share=0.0)
        there.learn(taught.core.values.document())
        assert there.core.values.document() == taught.core.values.document()
        assert there.solve(max_branches=8, policy="value").answer is not None


class TestTheDoor:
    def test_refuses_when_the_wait_is_longer_than_allowed_and_opens_again(self) -> None:
        there = world(lengths(100), slots=2, queue=QueueSettings(max_wait_s=1.0))
        there.solve("first", max_branches=2)
        refused = 0
        for number in range(40):
            try:
                there.submit(f"q{number}", max_branches=4, policy="even")
            except Overloaded as error:
                refused += 1
                assert "max_wait_s" in error.reason
                assert 1 <= error.retry_after_s <= 60
            there.steps(1)
        assert 0 < refused < 40
        there.run()
        there.solve("last", max_branches=2)

    def test_how_long_a_prompt_is_does_not_matter(self) -> None:
        def refusals(prompt: int) -> list[int]:
            there = world(lengths(100), slots=2, queue=QueueSettings(max_waiting=3))
            refused = []
            for number in range(12):
                try:
                    there.submit(f"q{number}", prompt=prompt, max_branches=2)
                except Overloaded:
                    refused.append(number)
            return refused

        assert refusals(1) == refusals(300) != []


class TestNumbers:
    def test_add_up(self) -> None:
        there = world(lengths(30, 50), lease_tokens=64)
        for number in range(5):
            there.submit(f"q{number}", max_branches=4, policy="even", tenant=f"t{number % 2}")
        there.run()
        stats = there.core.stats()
        spent = sum(result.tokens.spent for result in there.results.values())
        assert stats.used == spent == sum(tenant.tokens for tenant in stats.tenants.values())
        assert stats.granted == stats.used + stats.returned
        assert (stats.programs, stats.running, stats.waiting) == (0, 0, 0)
        assert stats.placements == 20

    def test_deadlines_cost_nothing_while_nobody_waits(self) -> None:
        there = world(lengths(400), lease_tokens=32)
        there.submit(max_branches=4, deadline_s=8.0)
        seen = []
        while there.core.programs:
            there.step()
            seen.append(there.core.stats().price)
        assert len(seen) > 10 and set(seen) == {0.0}

    def test_the_price_is_zero_when_idle_and_rises_with_a_queue(self) -> None:
        there = world(lengths(200), slots=2)
        seen: list[float] = []
        for number in range(30):
            there.submit(f"q{number}", max_branches=4, policy="even")
        while len(there.results) < 30:
            there.step()
            seen.append(there.core.stats().price)
        assert seen[0] == 0.0 and max(seen) > 0
        for _ in range(2000):
            there.step()
        assert there.core.stats().price == 0.0

    def test_a_query_names_a_contract_and_its_state_is_told(self) -> None:
        there = world(answers, explore_share=0.5)
        program: dict[str, Any] = {"max_branches": 8, "policy": "value", "max_disagreement": 0.1}
        for number in range(4):
            there.submit(f"q{number}", **program)
            there.run()
        contracts = there.core.stats().contracts
        assert contracts and all(name.endswith("*8@0.1") for name in contracts)
        assert all(0 <= contract.bound <= 0.1 for contract in contracts.values())
