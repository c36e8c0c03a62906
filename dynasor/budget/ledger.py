"""The ledger: every account there is, and the one place where leases are granted and settled."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dynasor.budget.accounts import Account, RateLimit
from dynasor.terms import DEFAULT_TENANT, Terms

MOST_TENANTS = 1000
"""Callers name tenants as they like; beyond so many, the counts of idle ones are forgotten."""


class LimitSettings(BaseModel):
    """Hard limits: no lease goes beyond them, whatever policy, price or order say."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    query_tokens: int | None = Field(
        None, ge=1, description="most tokens of one query; its own max_total_tokens may be lower"
    )
    tenant: RateLimit | None = Field(
        None, description="of each tenant that has no limit of its own in tenants"
    )
    tenants: dict[str, RateLimit] = Field({}, description="by tenant")
    cluster: RateLimit | None = Field(None, description="of all tenants together")


class Ledger:
    """Draws every lease from its query's, its tenant's and the cluster's account at once."""

    def __init__(self, limits: LimitSettings) -> None:
        self._limits = limits
        self.cluster = Account(rate=limits.cluster)
        self.tenants: dict[str, Account] = {}

    def open(self, terms: Terms) -> Account:
        """The account of a new query."""
        self._tenant(terms.tenant)
        totals = (self._limits.query_tokens, terms.max_total_tokens)
        return Account(total=min((total for total in totals if total is not None), default=None))

    def most(self, account: Account, tenant: str) -> float:
        """Tokens of the largest lease that the query can ever have; below 1: it is out of them."""
        return min(account.left, self._tenant(tenant).most, self.cluster.most)

    def ready_at(self, tenant: str, tokens: int, now: float) -> float:
        """When a lease of so many tokens, at most `most`, can be had if no other one is before."""
        tenants = self._tenant(tenant).ready_at(tokens, now)
        return max(tenants, self.cluster.ready_at(tokens, now))

    def grant(self, account: Account, tenant: str, tokens: int, now: float) -> None:
        """A lease begins or is extended by so many tokens. Check `most` and `ready_at`
        first."""
        for each in (account, self._tenant(tenant), self.cluster):
            each.grant(tokens, now)

    def settle(self, account: Account, tenant: str, granted: int, used: int, now: float) -> None:
        """A run is over for which ``granted`` tokens were drawn and ``used`` of them computed."""
        for each in (account, self._tenant(tenant), self.cluster):
            each.settle(used, granted - used, now)

    def _tenant(self, name: str) -> Account:
        account = self.tenants.get(name)
        if account is None:
            if len(self.tenants) >= MOST_TENANTS:
                self._forget_one()
            rate = self._limits.tenants.get(name, self._limits.tenant)
            account = self.tenants[name] = Account(rate=rate)
        return account

    def _forget_one(self) -> None:
        """Drop the oldest tenant that has nothing outstanding and no limit of its own."""
        own = self._limits.tenants
        idle = (
            name
            for name, account in self.tenants.items()
            if not account.outstanding and name not in own and name != DEFAULT_TENANT
        )
        name = next(idle, None)
        if name is not None:
            del self.tenants[name]
