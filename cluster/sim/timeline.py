"""How things went over time, in so many samples, however long it took."""

from __future__ import annotations

from cluster.bench.stats import mean
from cluster.sim.settings import TimelineSettings
from cluster.sim.stand import Stand
from dynasor.core import Core

Sample = dict[str, float]


class Timeline:
    """Samples of the whole, and of the first programs' shares.

    Attributes:
        period_s: between two samples; it doubles whenever there are too many.
    """

    def __init__(self, settings: TimelineSettings) -> None:
        self.period_s = settings.period_s
        self._most = settings.samples
        self._programs = range(settings.programs)
        self._whole: list[Sample] = []
        self._shares: list[Sample] = []
        self._generated, self._taken_at = 0, 0.0

    @property
    def samples(self) -> tuple[Sample, ...]:
        """All of them, as a `Run` of a report holds them."""
        return (*self._whole, *self._shares)

    def mean(self, name: str) -> float:
        """Of a figure of the whole, over the time; 0 without samples."""
        return mean([sample[name] for sample in self._whole]) if self._whole else 0.0

    def take(self, core: Core, stand: Stand, now: float) -> None:
        """Sample it as it is now."""
        stats, loads = core.stats(), [replica.engine.load for replica in stand.engines]
        before, self._generated = self._generated, stand.generated
        passed_s, self._taken_at = now - self._taken_at, now
        self._whole.append(
            {
                "at_s": now,
                "price": stats.price,
                "programs": stats.programs,
                "waiting": stats.waiting,
                "running": stats.running,
                "kv_used": mean([load.kv_used for load in loads]),
                "tokens_per_s": (self._generated - before) / passed_s if passed_s else 0.0,
            }
        )
        for number in self._programs:
            program = core.programs.get(f"q{number}")
            if program is not None:
                share = {"at_s": now, "program": number, "running": len(program.running)}
                self._shares.append(share)
        if len(self._whole) > self._most:
            self._thin()

    def _thin(self) -> None:
        self.period_s *= 2
        kept = {sample["at_s"] for sample in self._whole[::2]}
        self._whole = self._whole[::2]
        self._shares = [sample for sample in self._shares if sample["at_s"] in kept]
