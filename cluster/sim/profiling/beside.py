"""Processor time that this machine spends on anything but engines."""

from __future__ import annotations

from contextlib import suppress

import psutil

ENGINES = ("EngineCore", ":Engine", ":Scorer")
"""In the titles of processes that run engines: vLLM's own, and the replicas around them."""


class Beside:
    """Counts from when it is built. Engines must not start or end meanwhile."""

    def __init__(self) -> None:
        self._engines = [
            process
            for process in psutil.process_iter()
            if any(part in _title(process) for part in ENGINES)
        ]
        self._began_s = self._beside_s()

    @property
    def cpu_s(self) -> float:
        """Spent since then, in seconds of one processor."""
        return self._beside_s() - self._began_s

    def _beside_s(self) -> float:
        times = psutil.cpu_times()
        # What a guest takes is in the user's time already; what a hypervisor takes is nobody's.
        busy = times.user + times.nice + times.system + times.irq + times.softirq
        for process in self._engines:
            with suppress(psutil.Error):
                used = process.cpu_times()
                busy -= used.user + used.system
        return float(busy)


def _title(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""
