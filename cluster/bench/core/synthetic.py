"""Replicas without an engine: they carry out the core's commands and make up what they report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from dynasor.answers.answer import Answer
from dynasor.messages import (
    Command,
    End,
    Extend,
    Rate,
    ReplicaInfo,
    Report,
    Reset,
    RunEnd,
    RunReport,
    Start,
    Stop,
)
from dynasor.token_ids import pack_tokens

SLOTS = 256
CHUNK = 32
"""Tokens of a run between two reports of its replica: 64 tokens/s at a report every 0.5 s."""

LENGTHS = (64, 192)
"""Tokens of a chain: any number between these, all equally likely. That is short, as reasoning
goes: longer chains add growth, the cheapest event, and nothing else."""

INFO = ReplicaInfo(slots=SLOTS, kv_tokens=SLOTS * 1024, block_size=16, max_model_len=4096)
AGREEMENT = (0.95, 0.6, 0.3)
"""Share of a program's chains that give its right answer, one of these by program."""

WRONG_ANSWERS = 6
FIRST_TOKEN = 1000
"""Beyond the integers that Python keeps once for all."""


class News(NamedTuple):
    """What a replica has to report: runs that go on, and runs that have ended."""

    growth: Report
    ends: Report


@dataclass(slots=True)
class _Run:
    """``total``: tokens of its branch; ``end_at``: of its chain when it ends by itself or at its
    limit; ``lease``: those it may have."""

    program: str
    total: int
    reported: int
    end_at: int
    lease: int
    ended: RunEnd | None = None


@dataclass(slots=True)
class SyntheticReplica:
    """One replica with `SLOTS` slots. ``fresh``: chains that begin now are somewhere in their
    middle, so that not all of them end at once."""

    id: str
    rng: Random
    fresh: bool = True
    runs: dict[int, _Run] = field(default_factory=dict)

    def carry_out(self, commands: Iterable[Command]) -> None:
        """Do as told.

        Raises:
            RuntimeError: a reset, which no report here gives a reason for.
        """
        for command in commands:
            match command:
                case Start():
                    self._start(command)
                case Rate():
                    self.runs[command.run] = _Run(command.program, 0, 0, 0, 0, "stop")
                case Extend():
                    if command.run in self.runs:
                        self.runs[command.run].lease = command.lease
                case Stop():
                    if command.run in self.runs:
                        self.runs[command.run].ended = "stopped"
                case Reset():
                    raise RuntimeError(f"the core has reset replica {self.id}")

    def advance(self) -> News:
        """Generate `CHUNK` tokens for every run; returns the news since the last call."""
        growth, ends = [], []
        for number, run in list(self.runs.items()):
            if run.ended is None:
                self._generate(run)
            packed = pack_tokens(range(FIRST_TOKEN + run.reported, FIRST_TOKEN + run.total))
            if run.ended is None:
                growth.append(RunReport(number, run.reported, packed))
                run.reported = run.total
            else:
                ends.append(RunReport(number, run.reported, packed, self._end(run)))
                del self.runs[number]
        return News(Report(tuple(growth)), Report(tuple(ends)))

    def _start(self, start: Start) -> None:
        done = len(start.generated)
        least, most = LENGTHS
        length = self.rng.randint(1 if self.fresh else least, most)
        end_at = min(max(done + 1, length), start.max_tokens)
        self.runs[start.run] = _Run(start.program, done, done, end_at, start.lease)

    def _generate(self, run: _Run) -> None:
        run.total = max(run.total, min(run.total + CHUNK, run.end_at, run.lease))
        if run.total >= run.end_at:
            run.ended = "stop"
        elif run.total >= run.lease:
            run.ended = "lease"

    def _end(self, run: _Run) -> End:
        if run.ended != "stop":
            return End(run.ended or "stopped", cached_tokens=CHUNK)
        program = Random(run.program)
        agrees = self.rng.random() < program.choice(AGREEMENT)
        text = "right" if agrees else f"wrong {self.rng.randrange(WRONG_ANSWERS)}"
        return End("stop", answer=Answer(text, text), cached_tokens=CHUNK)
