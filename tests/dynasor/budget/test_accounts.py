"""Accounts balance at any time, and no lease goes beyond a limit."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.budget.accounts import Account, RateLimit
from dynasor.budget.ledger import Ledger, LimitSettings
from dynasor.terms import Terms

LIMITS = LimitSettings(
    query_tokens=500,
    tenants={"small": RateLimit(tokens_per_s=10, burst_tokens=100)},
    cluster=RateLimit(tokens_per_s=100, burst_tokens=400),
)
TENANTS = ("small", "other")


class TestAnAccount:
    def test_has_its_total_and_what_comes_back(self) -> None:
        account = Account(total=100)
        account.grant(80, 0.0)
        assert (account.left, account.outstanding) == (20, 80)
        account.settle(used=30, returned=50, now=1.0)
        assert (account.left, account.outstanding, account.used) == (70, 0, 30)

    def test_fills_its_bucket_with_time_up_to_the_burst(self) -> None:
        account = Account(rate=RateLimit(tokens_per_s=10, burst_tokens=50))
        assert account.ready_at(50, now=3.0) == 3.0, "it is full at first"
        account.grant(50, now=3.0)
        assert account.ready_at(20, now=3.0) == pytest.approx(5.0)
        account.settle(used=10, returned=40, now=4.0)
        assert account.ready_at(50, now=4.0) == 4.0
        assert account.ready_at(50, now=1000.0) == 1000.0

    def test_without_limits_gives_everything_at_once(self) -> None:
        assert (Account().left, Account().most) == (math.inf, math.inf)
        assert Account().ready_at(10**9, now=0.0) == 0.0


class TestTheLedger:
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(TENANTS),
                st.integers(1, 300),
                st.floats(0, 1),
                st.floats(0, 5),
                st.booleans(),
            ),
            max_size=60,
        )
    )
    def test_balances_and_keeps_every_limit(
        self, leases: list[tuple[str, int, float, float, bool]]
    ) -> None:
        ledger = Ledger(LIMITS)
        queries = {tenant: ledger.open(Terms(tenant=tenant)) for tenant in TENANTS}
        running: list[tuple[str, int, float]] = []
        granted = {tenant: 0 for tenant in TENANTS}
        now = 0.0
        for tenant, wanted, share, pause, ends in leases:
            now += pause
            lease = int(min(wanted, ledger.most(queries[tenant], tenant)))
            if lease >= 1 and ledger.ready_at(tenant, lease, now) <= now:
                ledger.grant(queries[tenant], tenant, lease, now)
                granted[tenant] += lease
                running.append((tenant, lease, share))
            if ends and running:
                owner, drawn, part = running.pop()
                ledger.settle(queries[owner], owner, drawn, int(part * drawn), now)
            accounts = [*queries.values(), *ledger.tenants.values(), ledger.cluster]
            assert all(a.granted == a.used + a.returned + a.outstanding for a in accounts)
            assert all(account.outstanding >= 0 for account in accounts)
            assert all(query.used + query.outstanding <= 500 for query in queries.values())
            small = ledger.tenants["small"]
            assert small.granted - small.returned <= 100 + 10 * now + 1e-6
            both = ledger.cluster
            assert both.granted - both.returned <= 400 + 100 * now + 1e-6
        assert sum(granted.values()) == ledger.cluster.granted

    def test_a_querys_own_limit_holds_if_it_is_lower(self) -> None:
        ledger = Ledger(LIMITS)
        assert ledger.most(ledger.open(Terms(max_total_tokens=30)), "default") == 30
        assert ledger.most(ledger.open(Terms(max_total_tokens=900)), "default") == 400

    def test_a_lost_run_is_settled_with_what_it_reported(self) -> None:
        ledger = Ledger(LimitSettings())
        account = ledger.open(Terms())
        ledger.grant(account, "default", 100, 0.0)
        ledger.settle(account, "default", granted=100, used=7, now=1.0)
        assert (account.used, account.returned, account.outstanding) == (7, 93, 0)
