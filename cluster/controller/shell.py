"""The core with a clock and waiting callers around it. No decision is made here."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.protocol import Batch, Refused, Status
from cluster.settings import ControllerSettings
from cluster.stream import Sender
from dynasor.branch import GENERATE
from dynasor.core import Core
from dynasor.errors import Overloaded
from dynasor.inputs import Input, Learned, Submit
from dynasor.journal import Entry, encode
from dynasor.messages import Command, ReplicaInfo, Report, Reset
from dynasor.result import Result
from dynasor.stats import Stats
from dynasor.step import Step
from dynasor.work import REWARD

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Outbox:
    """Commands on their way to one attachment of a replica."""

    epoch: str
    number: int = 0
    commands: list[Command] = field(default_factory=list)
    filled: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class _Caller:
    """Who waits for a query's result, and where its progress goes."""

    result: asyncio.Future[Result]
    sink: str | None


class Shell:
    """Drives a core in real time, on one event loop.

    Every verb feeds the core one input and passes on what comes out: commands into outboxes,
    which polls and reports empty; results to the callers of `solve`; progress to their sinks.
    """

    def __init__(self, settings: ControllerSettings, sender: Sender) -> None:
        self._identity = uuid.uuid4().hex[:8]
        folder = settings.event_log
        journal = None if folder is None else _journal(folder / f"{self._identity}.jsonl")
        self._settings = settings
        self._core = Core(settings, journal)
        self._sender = sender
        self._attachments = itertools.count(1)
        self._outboxes: dict[str, _Outbox] = {}
        self._callers: dict[str, _Caller] = {}
        self._timer: asyncio.TimerHandle | None = None

    async def solve(self, submission: Submit) -> Result | Refused:
        """Run a query to its end. Cancelling the call cancels the query.

        A query that is in progress is joined: its caller had lost the line, and asks again.
        """
        known = self._callers.get(submission.query_id)
        if known is not None:
            return await asyncio.shield(known.result)
        try:
            self._core.check_room(submission, _now())
        except Overloaded as error:
            return Refused(str(error), error.retry_after_s)
        result: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._callers[submission.query_id] = _Caller(result, submission.sink)
        try:
            self._deliver(self._core.submit(submission, _now()))
            return await result
        finally:
            del self._callers[submission.query_id]
            if not result.done() or result.cancelled():
                self.cancel(submission.query_id)

    def cancel(self, query_id: str) -> None:
        """End a query; its caller gets what there is."""
        self._deliver(self._core.cancel(query_id, _now()))

    def status(self) -> Status:
        """What is going on."""
        core = self._core
        engines, scorers = core.serving(GENERATE), core.serving(REWARD)
        return Status(engines, scorers, len(core.programs), core.runs)

    def stats(self) -> Stats:
        """Numbers about it."""
        return self._core.stats()

    def learn(self, document: dict[str, Any]) -> None:
        """Take in value models. Raises ValueError if the document holds none."""
        self._deliver(self._core.handle(Learned(document), _now()))

    def learned(self) -> dict[str, Any]:
        """The value models now, as `learn` takes them."""
        return self._core.values.document()

    def attach(self, replica: str, info: ReplicaInfo) -> str:
        """Take a replica in; returns the epoch that its batches will carry."""
        epoch = f"{self._identity}.{next(self._attachments)}"
        self._drop_outbox(replica)
        self._outboxes[replica] = _Outbox(epoch)
        self._deliver(self._core.attach(replica, info, _now()))
        return epoch

    def detach(self, replica: str) -> None:
        """Let a replica go; what it ran goes on elsewhere."""
        self._drop_outbox(replica)
        self._deliver(self._core.detach(replica, _now()))

    async def poll(self, replica: str, epoch: str) -> Batch:
        """Commands for a replica, as soon as there are any, or none after the holding time."""
        self._deliver(self._core.heard(replica, _now()))
        outbox = self._outboxes.get(replica)
        if outbox is not None:
            await self._hold(replica, outbox)
        return self._batch(replica, epoch)

    def report(self, replica: str, epoch: str, report: Report) -> Batch:
        """Take a replica's news; returns the commands there are."""
        outbox = self._outboxes.get(replica)
        if outbox is not None and outbox.epoch == epoch:
            self._deliver(self._core.report(replica, report, _now()))
        return self._batch(replica, epoch)

    def close(self) -> None:
        """Stop the clock."""
        if self._timer is not None:
            self._timer.cancel()

    async def _hold(self, replica: str, outbox: _Outbox) -> None:
        """Wait for commands that no report's reply has taken along, for the holding time."""
        try:
            # Not `wait_for`: in Python 3.11 it loses a cancellation that comes with the event.
            async with asyncio.timeout(self._settings.poll_hold_s):
                while not outbox.commands and self._outboxes.get(replica) is outbox:
                    outbox.filled.clear()
                    await outbox.filled.wait()
        except TimeoutError:
            self._deliver(self._core.heard(replica, _now()))

    def _batch(self, replica: str, epoch: str) -> Batch:
        outbox = self._outboxes.get(replica)
        if outbox is None or outbox.epoch != epoch:
            return Batch(epoch, 0, (Reset(),), self._core.report_period_s)
        commands, outbox.commands = tuple(outbox.commands), []
        # An empty batch carries the number of the last one: nothing has to wait for it.
        outbox.number += 1 if commands else 0
        return Batch(epoch, outbox.number, commands, self._core.report_period_s)

    def _drop_outbox(self, replica: str) -> None:
        outbox = self._outboxes.pop(replica, None)
        if outbox is not None:
            outbox.filled.set()

    def _deliver(self, step: Step) -> None:
        for replica, commands in step.commands.items():
            if commands == (Reset(),):
                self._drop_outbox(replica)
                continue
            outbox = self._outboxes[replica]
            outbox.commands.extend(commands)
            outbox.filled.set()
        for result in step.results:
            caller = self._callers.get(result.query_id)
            if caller is not None and not caller.result.done():
                caller.result.set_result(result)
        for progress in step.progress:
            caller = self._callers.get(progress.query_id)
            if caller is not None and caller.sink is not None:
                self._sender.send(caller.sink, progress)
        self._set_timer()

    def _set_timer(self) -> None:
        wake_at = self._core.wake_at
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if wake_at is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, wake_at - _now()), self._tick)

    def _tick(self) -> None:
        self._deliver(self._core.tick(_now()))
        # Replicas that died without a word never fetch what was meant for them.
        for replica in self._outboxes.keys() - self._core.replicas:
            self._drop_outbox(replica)


def _now() -> float:
    return time.monotonic()


def _journal(path: Path) -> Callable[[Input, float, Step], None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("wb", buffering=0)

    def write(event: Input, now: float, step: Step) -> None:
        if file.closed:
            return
        try:
            file.write(encode(Entry(now, event, step)))
        except OSError as error:
            # The step holds commands that are nowhere else: a full disk must not lose them.
            logger.error("the event log %s ends here: %s", path, error)
            file.close()

    return write
