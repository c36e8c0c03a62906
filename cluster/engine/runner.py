"""Carries out commands on an engine and gathers what is to be reported. No I/O of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging

from cluster.engine.generation import RefusedByEngine
from cluster.engine.load import Gauge
from cluster.engine.run import Run, Workers
from dynasor.messages import Close, Command, End, Extend, Open, Rate, Report, Start, Stop

logger = logging.getLogger(__name__)


class Runner:
    """Runs branches under their leases, and ratings.

    Attributes:
        news: set while there is something to report.
        urgent: set while that includes the end of a run or of a thought.
        broken: the engine's error, once it has one that is not a single request's fault.
    """

    def __init__(self, workers: Workers, gauge: Gauge) -> None:
        """``gauge``: the engine's load, told with the reports."""
        self._workers = workers
        self._gauge = gauge
        self._requests = itertools.count(1)
        self._programs: dict[str, Open] = {}
        self._runs: dict[int, Run] = {}
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._dirty: dict[int, Run] = {}
        self._pressing: dict[int, Run] = {}
        self._alive_at = 0.0
        self.news = asyncio.Event()
        gauge.changed = self.news.set
        self.urgent = asyncio.Event()
        self.broken: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

    @property
    def running(self) -> int:
        """Runs that have not ended."""
        return len(self._runs)

    @property
    def stalled_s(self) -> float:
        """How long the engine has given nothing although it has work, in seconds."""
        waiting = any(self._waits(run) for run in self._runs.values())
        return asyncio.get_running_loop().time() - self._alive_at if waiting else 0.0

    async def apply(self, commands: tuple[Command, ...]) -> None:
        """Carry out commands in order. Unknown runs are no error: they may just have ended."""
        stopped = []
        for command in commands:
            match command:
                case Open():
                    self._programs[command.program] = command
                case Start() | Rate():
                    self._start(command)
                case Extend(run, lease):
                    if run in self._runs:
                        self._runs[run].lease = max(lease, self._runs[run].lease)
                case Stop(run) if run in self._runs:
                    self._runs[run].taken_back = "stopped"
                    stopped.append(self._runs[run])
                case Close(program):
                    self._programs.pop(program, None)
        for kind, worker in self._workers.items():
            requests = [run.request for run in stopped if isinstance(run.command, kind)]
            if requests:
                await worker.stop(requests)

    def take_report(self, *, growth: bool = True) -> Report:
        """What happened since the last call; without ``growth``: only what is urgent of it."""
        told = self._dirty if growth else self._pressing
        self._dirty = {} if growth else {n: r for n, r in self._dirty.items() if n not in told}
        self._pressing = {}
        if not self._dirty:
            self.news.clear()
        self.urgent.clear()
        news = tuple(run.news() for run in told.values())
        return Report(news, self._gauge.take(), whole=not self._dirty)

    async def drop_all(self) -> None:
        """End everything without a report: the controller knows nothing of it any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._programs.clear()
        self._dirty.clear()
        self._pressing.clear()
        self._gauge.forget()
        self.news.clear()
        self.urgent.clear()

    def _start(self, command: Start | Rate) -> None:
        if not any(self._waits(run) for run in self._runs.values()):
            self._alive_at = asyncio.get_running_loop().time()
        request = f"run-{next(self._requests)}"
        lease = command.lease if isinstance(command, Start) else 0
        run = Run(command, self._programs[command.program], request, lease)
        self._runs[command.run] = run
        task = asyncio.get_running_loop().create_task(self._work(run))
        self._tasks[command.run] = task
        task.add_done_callback(lambda _: self._forget(command.run))

    def _waits(self, run: Run) -> bool:
        """Whether it is the engine that a run waits for: where it generates, ratings don't."""
        return isinstance(run.command, Start) or Start not in self._workers

    def _forget(self, run: int) -> None:
        del self._runs[run], self._tasks[run]

    async def _work(self, run: Run) -> None:
        try:
            run.end = await self._workers[type(run.command)].work(run, self._note)
        except RefusedByEngine as error:
            run.end = End("error", message=str(error))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            if not self.broken.done():
                logger.exception("the engine is broken")
                self.broken.set_result(error)
            return
        self._note(run)

    def _note(self, run: Run) -> None:
        if self._waits(run):
            self._alive_at = asyncio.get_running_loop().time()
        self._dirty[run.command.run] = run
        self.news.set()
        if run.end is not None or (run.meter is not None and run.meter.urgent):
            self._pressing[run.command.run] = run
            self.urgent.set()
