"""Virtual time: what happens when."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any


class Clock:
    """Events in the order of their times; of equal times, in the order in which they were set.

    Attributes:
        now: virtual time, in seconds since the beginning.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._events: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._numbers = itertools.count()

    def at(self, when: float, call: Callable[..., None], *args: Any) -> None:
        """Let something happen; what is in the past happens now."""
        heapq.heappush(self._events, (max(when, self.now), next(self._numbers), call, args))

    def step(self) -> bool:
        """Let the next event happen. Returns False if there is none."""
        if not self._events:
            return False
        self.now, _, call, args = heapq.heappop(self._events)
        call(*args)
        return True
