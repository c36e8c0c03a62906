"""An engine in a process of its own, so that several can be measured side by side."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, Literal, Protocol

from cluster.settings import Settings
from cluster.sim.profiling.windows import Sample, Window
from dynasor.messages import ReplicaInfo

START_S = 600.0
"""An engine's start: a large model is loaded and compiled."""

ANSWER_S = 180.0
END_S = 20.0


Role = Literal["engine", "reward"]
"""Generates, or judges: the part of the settings that says how."""


class _Stand(Protocol):
    @property
    def info(self) -> ReplicaInfo: ...

    async def measure(self, window: Window, others: int) -> Sample: ...

    async def keep_busy(self, window: Window) -> None: ...

    async def close(self) -> None: ...


class EngineFailed(Exception):
    """An engine did not start, or broke; the text says why."""


class EngineProcess:
    """Starts an engine at once; `info` waits until it is ready. Close it."""

    def __init__(self, settings: Settings, role: Role) -> None:
        context = get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(settings, role, theirs))
        self._process.start()
        theirs.close()
        self._info: ReplicaInfo | None = None

    @property
    def info(self) -> ReplicaInfo:
        """What it can hold. Raises EngineFailed."""
        if self._info is None:
            self._info = self._answer(START_S)
        return self._info

    def measure(self, window: Window, others: int) -> Sample:
        """Measure a window; ``others``: engines that are busy beside it. Raises EngineFailed."""
        self._send("measure", window, others)
        found: Sample = self._answer(ANSWER_S)
        return found

    def busy(self, window: Window | None) -> None:
        """Keep it busy with such a window until told otherwise; None: let it rest. Raises
        EngineFailed."""
        self._send("busy", window)
        self._answer(ANSWER_S)

    def close(self) -> None:
        """End it, whatever it does."""
        with suppress(OSError):
            self._line.send(("close",))
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._line.close()

    def _send(self, *message: Any) -> None:
        try:
            self._line.send(message)
        except OSError as error:
            raise EngineFailed(f"the engine's process has ended: {error}") from None

    def _answer(self, timeout_s: float) -> Any:
        try:
            if not self._line.poll(timeout_s):
                raise EngineFailed(f"the engine gave no answer within {timeout_s:g} s")
            good, value = self._line.recv()
        except EOFError:
            status = self._process.exitcode
            raise EngineFailed(f"the engine's process ended (status {status}); see above") from None
        if not good:
            raise EngineFailed(value)
        return value


def _serve(settings: Settings, role: Role, line: Connection) -> None:
    engine = settings.engine if role == "engine" else settings.reward
    assert engine is not None
    # vLLM and PyTorch read these when they are imported.
    os.environ.update({"VLLM_LOGGING_LEVEL": "ERROR", **os.environ, **engine.env})
    try:
        asyncio.run(_serve_stand(settings, role, line))
    except (KeyboardInterrupt, EOFError, BrokenPipeError):
        # Whoever asked is gone.
        return
    except Exception as error:
        line.send((False, f"{type(error).__name__}: {error}"))


async def _serve_stand(settings: Settings, role: Role, line: Connection) -> None:
    stand = _engine_stand(settings) if role == "engine" else _scorer_stand(settings)
    try:
        await _answer_all(stand, line)
    finally:
        await stand.close()


def _engine_stand(settings: Settings) -> _Stand:
    from cluster.engine.vllm_engine import VllmEngine
    from cluster.sim.profiling.stand import Stand

    engine = VllmEngine(settings)
    return Stand(engine, engine.gauge, settings)


def _scorer_stand(settings: Settings) -> _Stand:
    from cluster.engine.vllm_scorer import VllmScorer
    from cluster.sim.profiling.scorer import ScorerStand

    assert settings.reward is not None, "there is nothing to measure without it"
    return ScorerStand(VllmScorer(settings.reward), settings.reward)


async def _answer_all(stand: _Stand, line: Connection) -> None:
    background: asyncio.Task[None] | None = None
    try:
        line.send((True, stand.info))
        while (message := await asyncio.to_thread(line.recv))[0] != "close":
            match message:
                case ("measure", window, others):
                    line.send((True, await stand.measure(window, others)))
                case ("busy", window):
                    await _ended(background)
                    background = window and asyncio.create_task(stand.keep_busy(window))
                    line.send((True, None))
    finally:
        await _ended(background)


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        task.cancel()
        await asyncio.wait([task])
