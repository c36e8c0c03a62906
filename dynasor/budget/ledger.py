"""The ledger: every account there is, and the one place where leases are granted and settled."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from dynasor.budget.accounts import Account, RateLimit
from dynasor.terms import Terms


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
        if terms.tenant not in self.tenants:
            rate = self._limits.tenants.get(terms.tenant, self._limits.tenant)
            self.tenants[terms.tenant] = Account(rate=rate)
        totals = (self._limits.query_tokens, terms.max_total_tokens)
        return Account(total=min((total for total in totals if total is not None), default=None))

    def most(self, account: Account, tenant: str) -> float:
        """Tokens of the largest lease that the query can ever have; below 1: it is out of them."""
        return min(account.left, self.tenants[tenant].most, self.cluster.most)

    def ready_at(self, tenant: str, tokens: int, now: float) -> float:
        """When a lease of so many tokens, at most `most`, can be had if no other one is before."""
        tenants = self.tenants[tenant].ready_at(tokens, now)
        return max(tenants, self.cluster.ready_at(tokens, now))

    def grant(self, account: Account, tenant: str, tokens: int, now: float) -> None:
        """A lease begins or is extended by so many tokens. Check `most` and `ready_at`
        first."""
        for each in (account, self.tenants[tenant], self.cluster):
            each.grant(tokens, now)

    def settle(self, account: Account, tenant: str, granted: int, used: int, now: float) -> None:
        """A run is over for which ``granted`` tokens were drawn and ``used`` of them computed."""
        for each in (account, self.tenants[tenant], self.cluster):
            each.settle(min(used, granted), max(0, granted - used), now)
