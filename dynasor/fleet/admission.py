"""Admission: whether a replica's slots and KV cache have room for one more run, or for it to go on.

First what is certain: if all runs fit at their limits, there is room. Otherwise the forecast of
the cache's peak decides; see `dynasor.fleet.forecast`.
"""

from __future__ import annotations

from math import ceil, exp

from dynasor.fleet.replica import Replica, Run
from dynasor.fleet.settings import AdmissionSettings
from dynasor.messages import Load

RATE_WINDOW_S = 10.0
"""Over how long the rate of ends is measured, about."""


class Admission:
    """Decides on replicas' room, and keeps what that takes."""

    def __init__(self, settings: AdmissionSettings) -> None:
        self._settings = settings

    def admits(self, replica: Replica, run: Run, now: float | None) -> bool:
        """Whether the KV cache has room for a run that is not there yet.

        An idle replica takes any run: refusing would block the run for ever.
        """
        if not replica.runs:
            return True
        forecast, kv = replica.forecast, replica.info.kv_tokens
        prompt = 0 if forecast.shares(run.program) else run.prompt
        if forecast.most + prompt + run.prefix + max(run.limit, run.tokens) <= kv:
            return True
        need = prompt + run.held + run.left + run.deviation
        if need >= replica.refused:
            return False
        # A lease counts in full: only a length that is an estimate needs a margin.
        room = kv * (1 - self.headroom(replica, now)) if run.estimated else kv
        # At most the sum of what is planned for both, as the deviations add up by their squares.
        if forecast.bound + forecast.margin + need <= room:
            return True
        margin = (forecast.margin**2 + run.deviation**2) ** 0.5
        peak = forecast.peak_with(run.program, run.prompt, run.held, run.left, replica.steps)
        if peak + margin <= room:
            return True
        replica.refused = need
        return False

    def renews(self, replica: Replica, run: Run) -> bool:
        """Whether the KV cache has room for a run to go on beyond its lease.

        Where there is too little for all, a run may go on if it fits together with those that came
        before it: the last one to come lapses first. The oldest always goes on, so that every
        replica with runs comes to the end of one, whatever lengths were expected: leases never
        wait for each other.
        """
        forecast, kv = replica.forecast, replica.info.kv_tokens
        if forecast.most <= kv or forecast.bound <= kv:
            return True
        if run.id >= replica.lapsing:
            return False
        if forecast.peak(replica.steps) <= kv or next(iter(replica.runs)) == run.id:
            return True
        if forecast.peak_of_oldest(run.id, replica.steps) <= kv:
            return True
        replica.lapsing = run.id
        return False

    def headroom(self, replica: Replica, now: float | None) -> float:
        """Share of the KV cache that the forecast has to leave free."""
        added = replica.caution
        if added and now is not None:
            passed = max(0.0, now - replica.cautious_at)
            added *= 0.5 ** (passed / self._settings.kv_headroom_half_life_s)
        return min(1.0, self._settings.kv_headroom + added)

    def take_load(self, replica: Replica, load: Load, now: float) -> int:
        """The replica tells its load: preemptions mean that the forecast was too low.

        Returns:
            Preemptions since its last report.
        """
        known = replica.load.preempted if replica.load is not None else 0
        new = max(0, load.preempted - known)
        if new:
            caution = self.headroom(replica, now) - self._settings.kv_headroom
            caution += self._settings.kv_headroom_step
            replica.caution = min(self._settings.kv_headroom_max, caution)
            replica.cautious_at = now
        replica.load = load
        return new

    def ended(self, replica: Replica, now: float) -> None:
        """A run has ended: measure the rate, and with it how many runs hide the dispatch delay."""
        passed = max(0.0, now - replica.ended_at) if replica.ended_at is not None else 0.0
        replica.ends_per_s = replica.ends_per_s * exp(-passed / RATE_WINDOW_S) + 1 / RATE_WINDOW_S
        replica.ended_at = now
        slots = replica.info.slots
        extra = ceil(replica.ends_per_s * self._settings.dispatch_delay_s)
        replica.room = slots + min(extra, int(slots * self._settings.max_extra_share))
