"""Token accounts: what was granted in leases, what of it was used, and what came back.

Every lease is drawn from three accounts, its query's, its tenant's and the cluster's, and no lease
is larger than what all of them have left. ``granted = used + returned + outstanding`` holds for
each at any time, and nothing is outstanding when nothing runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


class RateLimit(BaseModel):
    """Tokens that may be granted over time: a token bucket."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens_per_s: float = Field(gt=0, description="most tokens per second on average")
    burst_tokens: int = Field(65_536, ge=1, description="most tokens at once after a quiet time")


@dataclass(slots=True)
class Account:
    """One account. ``total`` bounds what may ever be used; ``rate`` what may be granted in time.

    Attributes:
        level: tokens that were in the bucket at ``filled_at``; full at the beginning of time.
    """

    total: int | None = None
    rate: RateLimit | None = None
    granted: int = 0
    used: int = 0
    returned: int = 0
    level: float = 0.0
    filled_at: float = -math.inf

    @property
    def outstanding(self) -> int:
        """Granted to leases that run."""
        return self.granted - self.used - self.returned

    @property
    def left(self) -> float:
        """Tokens that may ever be granted; infinite without a total. What comes back counts."""
        return math.inf if self.total is None else self.total - self.used - self.outstanding

    @property
    def most(self) -> float:
        """Tokens that the bucket can ever give at once; infinite without a rate."""
        return math.inf if self.rate is None else self.rate.burst_tokens

    def ready_at(self, tokens: int, now: float) -> float:
        """When the bucket holds so many, at most `most`, if nothing is granted before."""
        if self.rate is None:
            return now
        return now + max(0.0, tokens - self._bucket(now)) / self.rate.tokens_per_s

    def grant(self, tokens: int, now: float) -> None:
        """A lease over so many tokens begins or is extended. Check `left` and `ready_at` first."""
        if self.rate is not None:
            self.level, self.filled_at = self._bucket(now) - tokens, now
        self.granted += tokens

    def settle(self, used: int, returned: int, now: float) -> None:
        """A lease ends: so many of its tokens were used, and the others come back."""
        if self.rate is not None:
            self.level, self.filled_at = min(self.most, self._bucket(now) + returned), now
        self.used += used
        self.returned += returned

    def _bucket(self, now: float) -> float:
        if self.rate is None:
            return math.inf
        filled = self.level + (now - self.filled_at) * self.rate.tokens_per_s
        return min(float(self.rate.burst_tokens), filled)
