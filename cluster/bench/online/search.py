"""Finds the highest rate that a system sustains, with few measurements."""

from __future__ import annotations

from dataclasses import dataclass, field

STEPS_PER_DOUBLING = 4
RUNGS = range(-12, 25)
"""Rates that are tried: from an eighth of the unit to 64 times as much."""


def rate_of(rung: int) -> float:
    """In multiples of the unit: rung 0 is 1, and every `STEPS_PER_DOUBLING` rungs it doubles;
    rounded, for it is shown and compared."""
    return round(float(2 ** (rung / STEPS_PER_DOUBLING)), 3)


@dataclass(slots=True)
class Search:
    """A ladder of rates, climbed in steps that double, then halved between the highest rung that
    was sustained and the lowest one that was not.

    Attributes:
        first: rung to begin with.
        most: measurements it may take.
        results: what was measured, by rung: whether it was sustained.
    """

    first: int = 0
    most: int = 6
    results: dict[int, bool] = field(default_factory=dict)

    @property
    def next(self) -> int | None:
        """The rung to measure next; None: it is over."""
        if len(self.results) >= self.most:
            return None
        low, high = self.bracket
        if low is None and high is None:
            return self.first
        if low is not None and high is not None:
            return (low + high) // 2 if high - low > 1 else None
        step = 2 ** len(self.results)
        rung = low + step if low is not None else (high or 0) - step
        rung = min(max(rung, RUNGS[0]), RUNGS[-1])
        return None if rung in self.results else rung

    @property
    def bracket(self) -> tuple[int | None, int | None]:
        """The highest rung sustained that lies below all that were not, and the lowest of those."""
        high = min((rung for rung, met in self.results.items() if not met), default=None)
        below = [
            rung for rung, met in self.results.items() if met and (high is None or rung < high)
        ]
        return max(below, default=None), high

    def note(self, rung: int, sustained: bool) -> None:
        """Take a measurement."""
        self.results[rung] = sustained
