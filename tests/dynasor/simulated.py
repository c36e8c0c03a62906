"""What a simulated replica is made of: scripted chains, its runs, what it was told."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dynasor.answers.answer import Answer
from dynasor.fleet.settings import AdmissionSettings
from dynasor.inputs import Submit
from dynasor.messages import (
    Close,
    Command,
    End,
    Extend,
    Open,
    Rate,
    ReplicaInfo,
    Report,
    RunReport,
    Start,
    Stop,
)
from dynasor.token_ids import pack_tokens

CACHED = 7
"""What every run reports as found in the prefix cache."""


@dataclass(frozen=True)
class Chain:
    """What the model does with one branch, if nobody stops it, or what judges say of one.

    ``step``: where the branch's item has boundaries, it ends at one.
    """

    length: int = 20
    answer: str | None = None
    end: Literal["stop", "error"] = "stop"
    step: bool = False
    score: float = 0.5


Script = Callable[[str, int], Chain]


def answering(*answers: str | None, length: int = 20) -> Script:
    """Branch i answers ``answers[i]``, the last one from there on."""
    return lambda _, branch: Chain(length, answers[min(branch, len(answers) - 1)])


def token(query_id: str, branch: int, position: int) -> int:
    """The id of a generated token, the same wherever it is generated."""
    return sum(query_id.encode()) * 1_000_000 + branch * 10_000 + position


def tokens_of(query_id: str, branch: int, start: int, end: int) -> tuple[int, ...]:
    return tuple(token(query_id, branch, position) for position in range(start, end))


def info(
    slots: int = 8,
    kv_tokens: int = 100_000,
    block_size: int = 16,
    max_model_len: int = 4096,
    services: tuple[str, ...] = ("generate",),
) -> ReplicaInfo:
    return ReplicaInfo(slots, kv_tokens, block_size, max_model_len, services)


def as_start(rate: Rate) -> Start:
    """A rating in the form of a run that generates nothing."""
    return Start(
        run=rate.run,
        program=rate.program,
        branch=rate.branch,
        prefix=rate.tokens,
        generated=(),
        lease=0,
        max_tokens=0,
    )


@dataclass
class SimRun:
    """A run on a replica. ``total`` counts the branch's tokens, earlier runs included; ``rate``: it
    is a rating, and generates nothing."""

    start: Start
    lease: int
    total: int
    reported: int
    end: End | None = None
    rate: bool = False

    @property
    def key(self) -> tuple[str, int]:
        return self.start.program, self.start.branch

    def generate(self, chain: Chain, tokens: int) -> int:
        """Get up to so many tokens further; returns how many it got."""
        before, most = self.total, min(chain.length, self.lease, self.start.max_tokens)
        self.total = max(before, min(before + tokens, most))
        self.end = self.end_of(chain)
        return self.total - before

    def end_of(self, chain: Chain) -> End | None:
        """How it ends with the tokens it has, if it does."""
        done, start = self.total >= chain.length, self.start
        if self.rate and chain.end != "error":
            return End("stop", scores=(chain.score,), read_tokens=len(start.prefix))
        if done and chain.step and "step" in start.until:
            return End("step", "\n", max(0, self.total - 1), cached_tokens=CACHED)
        if (done or self.rate) and chain.end == "error":
            return End("error", message="refused by the engine")
        if done:
            answer = Answer(chain.answer, chain.answer) if chain.answer and start.read else None
            return End("stop", answer=answer, cached_tokens=CACHED)
        if self.total >= start.max_tokens:
            return End("length", cached_tokens=CACHED)
        return End("lease", cached_tokens=CACHED) if self.total >= self.lease else None


@dataclass
class SimReplica:
    """One engine replica.

    Attributes:
        attachment: number of its attachment; 0: it was reset and has to attach again.
        heard_at: when the core last heard of it.
        open: its runs of whose end the core has not heard.
        silent: it works, but nothing gets through, either way.
        holding: its reports are held back; its heartbeat is not.
    """

    id: str
    info: ReplicaInfo
    attachment: int
    heard_at: float
    inbox: list[Command] = field(default_factory=list)
    opened: dict[str, Open] = field(default_factory=dict)
    runs: dict[int, SimRun] = field(default_factory=dict)
    open: set[int] = field(default_factory=set)
    silent: bool = False
    holding: bool = False
    held: list[Report] = field(default_factory=list)

    @property
    def live(self) -> list[SimRun]:
        return [run for run in self.runs.values() if run.end is None]

    @property
    def most_runs(self) -> int:
        """Its slots, and what may wait there to follow at once."""
        slots = self.info.slots
        return slots + math.ceil(slots * AdmissionSettings().max_extra_share)

    def carry_out(self, command: Command) -> None:
        """Do as told."""
        match command:
            case Open(program, prompt):
                assert program not in self.opened, "opened twice"
                assert prompt, "opened without a prompt"
                self.opened[program] = command
            case Start(run_id, program):
                assert program in self.opened, "a start of a program that was not opened"
                assert len(self.live) < self.most_runs, "more runs than it is to hold"
                done = len(command.generated)
                self.runs[run_id] = SimRun(command, command.lease, done, done)
            case Rate(run_id, program):
                assert program in self.opened, "a rating of a program that was not opened"
                self.runs[run_id] = SimRun(as_start(command), 0, 0, 0, rate=True)
            case Extend(run_id, lease):
                run = self.runs.get(run_id)
                if run is not None:
                    assert run.lease < lease <= run.start.max_tokens, "a lease only grows"
                    run.lease = lease
            case Stop(run_id):
                run = self.runs.get(run_id)
                if run is not None and run.end is None:
                    run.end = End("stopped", cached_tokens=CACHED)
            case Close(program):
                assert program in self.opened, "closed, but not open"
                del self.opened[program]

    def gather(self) -> Report:
        """Everything since the last report."""
        news = []
        for run_id, run in list(self.runs.items()):
            if run.total > run.reported or run.end is not None:
                packed = pack_tokens(tokens_of(*run.key, run.reported, run.total))
                news.append(RunReport(run_id, run.reported, packed, run.end))
                run.reported = run.total
            if run.end is not None:
                del self.runs[run_id]
        return Report(tuple(news))

    def reset(self) -> None:
        """Drop everything; it attaches again when it can."""
        self.attachment = 0
        self.inbox.clear()
        self.opened.clear()
        self.runs.clear()
        self.open.clear()


@dataclass
class Placed:
    """A run as the core knows it: whose it is and where it was started.

    Attributes:
        owner: the submission it belongs to, whatever its id is used for later.
        stopped: a stop was sent.
    """

    start: Start
    owner: Submit
    replica: str
    attachment: int
    stopped: bool = False
