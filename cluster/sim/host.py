"""What shares the processors of a host with its engines: ingress, controller, Ray, clients."""

from __future__ import annotations

from collections.abc import Callable

from cluster.sim.clock import Clock


class Host:
    """Work beside the engines waits for its turn. While there is some, it and each busy engine get
    the same share of the processors.

    Attributes:
        engines: that are busy.
        working: there is work besides.
    """

    def __init__(self, cores: float, clock: Clock, changed: Callable[[], None]) -> None:
        """
        Args:
            cores: processors; 0: of their own for all that there is.
            changed: called whenever ``working`` has changed.
        """
        self.engines = 0
        self.working = False
        self._cores = cores
        self._clock = clock
        self._changed = changed
        self._until = 0.0

    @property
    def slowdown(self) -> float:
        """How much longer the steps of its engines take by the work besides."""
        if not self.working:
            return 1.0
        return max(1.0, (self.engines + 1) / max(self._cores, self.engines))

    def take(self, cpu_s: float, latency_s: float) -> float:
        """Take on work.

        Args:
            cpu_s: processor time that it takes.
            latency_s: after which what it is for has happened, in an idle host.

        Returns:
            when it has happened.
        """
        now = self._clock.now
        if not self._cores:
            return now + latency_s
        pace = max(1.0, (self.engines + 1) / self._cores)
        begins = max(now, self._until)
        self._until = begins + cpu_s * pace
        if not self.working and cpu_s:
            self.working = True
            self._changed()
            self._clock.at(self._until, self._rest)
        return begins + latency_s * pace

    def _rest(self) -> None:
        if self._clock.now < self._until:
            self._clock.at(self._until, self._rest)
            return
        self.working = False
        self._changed()
