"""CPU time of timed calls, by kind, with the garbage collection that falls into them."""

from __future__ import annotations

import cProfile
import gc
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

from dynasor.messages import Rate, Start
from dynasor.step import Step

T = TypeVar("T")


@dataclass(slots=True)
class Cost:
    """What calls of one kind took. ``events``: entries of reports, and starts that followed;
    ``starts``: how many of them were starts."""

    calls: int = 0
    events: int = 0
    starts: int = 0
    cpu_s: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.calls + other.calls,
            self.events + other.events,
            self.starts + other.starts,
            self.cpu_s + other.cpu_s,
        )

    @property
    def per_event_us(self) -> float:
        """CPU time per event, in µs; nan where there was none."""
        return self.cpu_s / self.events * 1e6 if self.events else float("nan")

    @property
    def per_call_us(self) -> float:
        """CPU time per call, in µs; nan where there was none."""
        return self.cpu_s / self.calls * 1e6 if self.calls else float("nan")


@dataclass(slots=True)
class Meter(AbstractContextManager["Meter"]):
    """Times calls of the core. Inside its context, garbage is collected during timed calls only.

    Objects that are made between them count towards the next collection, so that the core pays for
    the driver's garbage as well: the controller decodes reports in the same process. Leaving the
    context switches collection on again.

    Attributes:
        costs: by kind of call, since the last `reset`.
        collecting_s: CPU time of the collections in them; longest_s: of the longest one.
        profile: runs during timed calls; None: there is none.
    """

    profile: cProfile.Profile | None = None
    costs: dict[str, Cost] = field(default_factory=dict)
    collecting_s: float = 0.0
    longest_s: float = 0.0
    _collection_began: float = 0.0

    def __enter__(self) -> Self:
        gc.callbacks.append(self._on_collection)
        gc.disable()
        return self

    def __exit__(self, *exception: object) -> None:
        gc.enable()
        gc.callbacks.remove(self._on_collection)

    @property
    def total(self) -> Cost:
        """All kinds together."""
        return sum(self.costs.values(), Cost())

    def reset(self) -> None:
        """Forget what was measured."""
        self.costs, self.collecting_s, self.longest_s = {}, 0.0, 0.0

    def step(self, kind: str, entries: int, call: Callable[..., Step], *args: Any) -> Step:
        """Time one input to the core that carries so many entries of a report."""
        step = self.time(kind, call, *args)
        starts = count_starts(step.commands)
        cost = self.costs[kind]
        cost.events += entries + starts
        cost.starts += starts
        return step

    def time(self, kind: str, call: Callable[..., T], *args: Any) -> T:
        """Time one call."""
        with self.profile or nullcontext():
            gc.enable()
            began = time.process_time()
            result = call(*args)
            elapsed_s = time.process_time() - began
            gc.disable()
        cost = self.costs.setdefault(kind, Cost())
        cost.calls += 1
        cost.cpu_s += elapsed_s
        return result

    def _on_collection(self, phase: str, info: Mapping[str, int]) -> None:
        if phase == "start":
            self._collection_began = time.process_time()
        else:
            took_s = time.process_time() - self._collection_began
            self.collecting_s += took_s
            self.longest_s = max(self.longest_s, took_s)


def count_starts(commands: Mapping[str, tuple[Any, ...]]) -> int:
    """How many runs these commands start."""
    return sum(isinstance(item, Start | Rate) for items in commands.values() for item in items)
