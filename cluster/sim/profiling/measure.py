"""Measures an engine's steps: alone, and beside others that are busy."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from statistics import median

from cluster.settings import Settings
from cluster.sim.profiling.process import EngineProcess, Role
from cluster.sim.profiling.progress import Say
from cluster.sim.profiling.quiet import Disturbance
from cluster.sim.profiling.windows import Sample, Window, scoring_windows, windows
from dynasor.messages import ReplicaInfo

REPEATS = 5
"""Quiet measurements of a window, of which the middle one counts."""

TRIES = 9
"""Measurements until there are so many; then disturbed ones count as well."""

SETTLE_S = 0.3
"""Until the others' load is what it will be."""

BUSY_CONTEXT = 64


@dataclass(frozen=True, slots=True)
class Steps:
    """What was measured.

    Attributes:
        samples: the middle one of each window.
        disturbed: share of all measurements during which other programs were busy.
        cores: that others took on average.
    """

    info: ReplicaInfo
    samples: tuple[Sample, ...]
    disturbed: float
    cores: float


def measure_steps(settings: Settings, engines: int, say: Say) -> Steps:
    """Measure with so many engines side by side: every window beside none and beside all others.

    Raises:
        EngineFailed: an engine did not start, or broke.
    """
    with _started(settings, "engine", engines) as (first, *others):
        info = first.info
        for other in others:
            _ = other.info
        plan = tuple(windows(info, settings.engine.max_num_batched_tokens))
        return _measured(first, others, plan, say)


def measure_scorer(settings: Settings, say: Say) -> Steps:
    """Measure one engine that judges, alone. Raises EngineFailed."""
    reward = settings.reward
    assert reward is not None, "there is nothing to measure without it"
    with _started(settings, "reward", 1) as (scorer,):
        plan = tuple(scoring_windows(scorer.info, reward.max_num_batched_tokens))
        return _measured(scorer, (), plan, say)


def _measured(
    first: EngineProcess, others: Sequence[EngineProcess], plan: Sequence[Window], say: Say
) -> Steps:
    # What comes first pays for what later ones find ready.
    first.measure(plan[0], 0)
    seen = Disturbance()
    samples: list[Sample] = []
    spoiled = 0
    beside = [0, len(others)] if others else [0]
    for count in beside:
        for window in plan:
            say(_title(window, count), len(samples), len(plan) * len(beside))
            with _busy(others[:count], window):
                found, noisy = _repeated(first, window, count)
            samples.append(found)
            spoiled += noisy
    tried = len(samples) * REPEATS + spoiled
    return Steps(first.info, tuple(samples), spoiled / tried, seen.cores)


def _title(window: Window, others: int) -> str:
    decoding = f"{window.decoding} sequences of {window.context}" if window.decoding else ""
    prompts = f"{window.prompts} prompts of {window.prompt}" if window.prompts else ""
    beside = f", {others} engines busy beside" if others else ""
    return " and ".join(filter(None, (decoding, prompts))) + " tokens" + beside


def _repeated(engine: EngineProcess, window: Window, others: int) -> tuple[Sample, int]:
    """The middle one of the quiet measurements, and how many there were that are not."""
    quiet: list[Sample] = []
    noisy: list[Sample] = []
    for _ in range(TRIES):
        disturbance = Disturbance()
        found = engine.measure(window, others)
        (quiet if disturbance.quiet else noisy).append(found)
        if len(quiet) == REPEATS:
            break
    return _middle(quiet or noisy), len(noisy)


def _middle(samples: Sequence[Sample]) -> Sample:
    middle = median(one.seconds / one.steps for one in samples)
    return min(samples, key=lambda one: abs(one.seconds / one.steps - middle))


@contextmanager
def _started(settings: Settings, role: Role, engines: int) -> Iterator[list[EngineProcess]]:
    with ExitStack() as stack:
        started = []
        for _ in range(engines):
            engine = EngineProcess(settings, role)
            stack.callback(engine.close)
            started.append(engine)
        yield started


@contextmanager
def _busy(engines: Sequence[EngineProcess], window: Window) -> Iterator[None]:
    load = Window(window.decoding, min(window.context, BUSY_CONTEXT))
    for engine in engines:
        engine.busy(load)
    if engines:
        time.sleep(SETTLE_S)
    try:
        yield
    finally:
        for engine in engines:
            engine.busy(None)
