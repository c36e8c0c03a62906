"""When queries arrive: open loop, whatever becomes of those before. Drawn lazily, by seed."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from functools import cached_property
from random import Random
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cluster.workload.arrival_files import read_arrivals
from cluster.workload.arrival_trace import ArrivalTrace
from cluster.workload.paths import RelativePath

Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Arrival(NamedTuple):
    """One arrival, in seconds since the beginning, and what its trace says of its prompt: see
    `Request`."""

    at_s: float
    input_tokens: int | None = None
    prefix_ids: tuple[int, ...] = ()


class ArrivalProcess(BaseModel):
    """Arrivals without end, unless its kind says otherwise."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @property
    @abstractmethod
    def mean_rate(self) -> float:
        """Arrivals per second."""

    @abstractmethod
    def scaled(self, factor: float) -> Self:
        """The same with ``factor`` times as many arrivals per second."""

    @abstractmethod
    def arrivals(self, seed: int) -> Iterator[Arrival]:
        """One after the other, their times never decreasing; equal arguments, equal arrivals."""


class Poisson(ArrivalProcess):
    """Arrivals that know nothing of each other: ``rate`` per second."""

    process: Literal["poisson"] = "poisson"
    rate: Rate

    @property
    def mean_rate(self) -> float:
        return self.rate

    def scaled(self, factor: float) -> Self:
        return self.model_copy(update={"rate": self.rate * factor})

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        clock, at_s = _clock(seed), 0.0
        while True:
            at_s += clock.expovariate(self.rate)
            yield Arrival(at_s)


class Gamma(ArrivalProcess):
    """Gaps from a gamma distribution: ``cv`` is their standard deviation over their mean. 1 is
    Poisson; above, arrivals come in clumps; below, evenly."""

    process: Literal["gamma"] = "gamma"
    rate: Rate
    cv: float = Field(gt=0, le=50)

    @property
    def mean_rate(self) -> float:
        return self.rate

    def scaled(self, factor: float) -> Self:
        return self.model_copy(update={"rate": self.rate * factor})

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        clock, at_s = _clock(seed), 0.0
        shape = self.cv**-2
        while True:
            at_s += clock.gammavariate(shape, 1 / (shape * self.rate))
            yield Arrival(at_s)


class Bursts(ArrivalProcess):
    """Poisson at a base rate; the last ``burst_s`` of each ``period_s`` at the burst's rate."""

    process: Literal["bursts"] = "bursts"
    rate: float = Field(ge=0, allow_inf_nan=False, description="outside of bursts")
    burst_rate: Rate
    period_s: Seconds
    burst_s: Seconds

    @property
    def mean_rate(self) -> float:
        return self._expected / self.period_s

    def scaled(self, factor: float) -> Self:
        rates = {"rate": self.rate * factor, "burst_rate": self.burst_rate * factor}
        return self.model_copy(update=rates)

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        calm = self.rate * (self.period_s - self.burst_s)
        for passed in _unit_poisson(seed):
            periods, rest = divmod(passed, self._expected)
            if rest < calm:
                within = rest / self.rate
            else:
                within = self.period_s - self.burst_s + (rest - calm) / self.burst_rate
            yield Arrival(periods * self.period_s + within)

    @property
    def _expected(self) -> float:
        """Arrivals in a period, on average."""
        return self.rate * (self.period_s - self.burst_s) + self.burst_rate * self.burst_s

    @model_validator(mode="after")
    def _bursts_fit(self) -> Self:
        if self.burst_s > self.period_s:
            raise ValueError("burst_s must be at most period_s")
        return self


class Ramp(ArrivalProcess):
    """Poisson at a rate that goes from one to the other in a straight line, and stays there."""

    process: Literal["ramp"] = "ramp"
    from_rate: float = Field(ge=0, allow_inf_nan=False)
    to_rate: Rate
    over_s: Seconds

    @property
    def mean_rate(self) -> float:
        """While it changes."""
        return (self.from_rate + self.to_rate) / 2

    def scaled(self, factor: float) -> Self:
        rates = {"from_rate": self.from_rate * factor, "to_rate": self.to_rate * factor}
        return self.model_copy(update=rates)

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        slope = (self.to_rate - self.from_rate) / self.over_s
        during = self.mean_rate * self.over_s
        for passed in _unit_poisson(seed):
            if passed >= during:
                yield Arrival(self.over_s + (passed - during) / self.to_rate)
                continue
            # The time t at which from_rate * t + slope * t**2 / 2 has passed.
            root = math.sqrt(max(0.0, self.from_rate**2 + 2 * slope * passed))
            yield Arrival(2 * passed / (self.from_rate + root))


class Replay(ArrivalProcess):
    """The arrivals of a file, ``speed`` times as fast; from the beginning again when it is over.

    With ``lengths``, the prompts are as long as in the file, and share their beginnings as there.
    Every turn through the file shares nothing with the turns before it.
    """

    process: Literal["replay"] = "replay"
    file: RelativePath
    speed: float = Field(1.0, gt=0, allow_inf_nan=False)
    repeat: bool = Field(True, description="else the arrivals end with the file")
    lengths: bool = Field(False, description="prompts as in the file, not as the questions'")

    @property
    def mean_rate(self) -> float:
        return self.speed * len(self.trace.arrival_s) / self.trace.span_s

    def scaled(self, factor: float) -> Self:
        return self.model_copy(update={"speed": self.speed * factor})

    @cached_property
    def trace(self) -> ArrivalTrace:
        """Its file. Raises ValueError: see `read_arrivals`, or it has no lengths but should."""
        trace = read_arrivals(self.file)
        if self.lengths and trace.input_tokens is None:
            raise ValueError(f"{self.file}: arrivals.lengths needs a file with token counts")
        return trace

    def arrivals(self, seed: int) -> Iterator[Arrival]:
        trace, turn = self.trace, 0
        while turn == 0 or self.repeat:
            for place, after_s in enumerate(trace.arrival_s.tolist()):
                at_s = (turn * trace.span_s + after_s) / self.speed
                if self.lengths:
                    yield Arrival(at_s, trace.input_of(place), trace.prefix_of(place, turn))
                else:
                    yield Arrival(at_s)
            turn += 1


Arrivals = Annotated[Poisson | Gamma | Bursts | Ramp | Replay, Field(discriminator="process")]


def _clock(seed: int) -> Random:
    return Random(f"arrivals:{seed}")


def _unit_poisson(seed: int) -> Iterator[float]:
    """A Poisson process of rate 1; any other one is this one with its time bent."""
    clock, passed = _clock(seed), 0.0
    while True:
        passed += clock.expovariate(1.0)
        yield passed
