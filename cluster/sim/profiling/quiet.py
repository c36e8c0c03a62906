"""Tells whether a measurement was disturbed by other programs of this machine."""

from __future__ import annotations

import os
import time
from contextlib import suppress

import psutil

TOLERATED = 0.1
"""Cores that others may take in a quiet measurement."""

TICKS_S = 0.03
"""Below this, CPU times say nothing: the system counts them in ticks of 10 ms."""


class Disturbance:
    """Counts the CPU time of programs that don't descend from this process."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._others = _others_s()

    @property
    def cores(self) -> float:
        """Taken by others on average since this was built."""
        taken = _others_s() - self._others
        if taken <= TICKS_S:
            return 0.0
        return taken / (time.perf_counter() - self._began)

    @property
    def quiet(self) -> bool:
        """Others took next to nothing."""
        return self.cores <= TOLERATED


def _others_s() -> float:
    times = psutil.cpu_times()
    # What a guest takes is in the user's time already.
    busy = times.user + times.nice + times.system + times.irq + times.softirq + times.steal
    here = psutil.Process(os.getpid())
    own = 0.0
    for process in (here, *here.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            used = process.cpu_times()
            own += used.user + used.system
    return float(busy - own)
