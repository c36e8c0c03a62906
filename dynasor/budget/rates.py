"""How fast the cluster generates: measured from what replicas report."""

from __future__ import annotations

import math

MEMORY_S = 5.0
"""Time constant of the measured rate: long against report periods, short against load changes."""


class TokenRate:
    """Tokens per second of the whole cluster when it is busy.

    While work waits, the cluster gives all it has, and the rate follows what is measured; while
    nothing waits, a low rate says nothing about what it could give, and only a higher one counts.
    """

    def __init__(self) -> None:
        self._rate = 0.0
        self._tokens = 0
        self._since: float | None = None

    @property
    def per_s(self) -> float:
        """Tokens per second; 0: nothing was measured yet."""
        return self._rate

    def count(self, tokens: int) -> None:
        """So many tokens were reported."""
        self._tokens += tokens

    def update(self, now: float, saturated: bool) -> None:
        """Take the tokens since the last update into account; ``saturated``: work waited."""
        if self._since is None:
            self._since, self._tokens = now, 0
            return
        elapsed = now - self._since
        if elapsed <= 0:
            return
        measured = self._tokens / elapsed
        self._since, self._tokens = now, 0
        if not self._rate or (not saturated and measured > self._rate):
            self._rate = measured
        elif saturated:
            self._rate += (measured - self._rate) * -math.expm1(-elapsed / MEMORY_S)
