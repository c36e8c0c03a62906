"""CPU time of the core: the only thing in a simulation that is measured on this machine."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PER_DECADE = 100
"""Buckets of durations: their bounds are 2.3% apart."""


class Durations:
    """Durations in seconds, counted by size: of any number, in bounded memory."""

    def __init__(self) -> None:
        self.count = 0
        self.total_s = 0.0
        self._buckets: Counter[int] = Counter()

    def add(self, seconds: float) -> None:
        """Count one."""
        self.count += 1
        self.total_s += seconds
        self._buckets[math.floor(PER_DECADE * math.log10(max(seconds, 1e-9)))] += 1

    def quantile(self, q: float) -> float:
        """The q-quantile, q in [0, 1], within 2.3%; nan of none."""
        left = q * self.count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return float(10 ** ((bucket + 0.5) / PER_DECADE))
        return math.nan


class CoreMeter:
    """Times the core's calls.

    Attributes:
        commands: that the core gave to replicas.
    """

    def __init__(self) -> None:
        self.calls = Durations()
        self.commands = 0

    def time(self, call: Callable[[], T]) -> T:
        """Make a call and count what it takes; also when it raises."""
        began = time.process_time()
        try:
            return call()
        finally:
            self.calls.add(time.process_time() - began)
