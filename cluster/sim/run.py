"""A branch or a rating on a simulated replica."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cluster.sim.outcomes.script import Script
from cluster.sim.outcomes.trace import Trace
from cluster.sim.tokens import generated, packed_tokens
from dynasor.answers.answer import Answer
from dynasor.messages import End, Open, Rate, RunReport, Start


@dataclass(slots=True)
class SimRun:
    """What `cluster.engine.run.Run` is on a real one.

    Attributes:
        script: what its query's branches do.
        job: the engine's number for it.
        lease: tokens the branch may have in all.
        total: tokens that the branch has, as far as the engine was asked.
        reported: those that the controller was sent.
        taken_back: its end was commanded.
    """

    command: Start | Rate
    program: Open
    script: Script
    job: int
    lease: int = 0
    total: int = 0
    reported: int = 0
    taken_back: bool = False
    cached_tokens: int | None = None
    end: End | None = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        if isinstance(self.command, Start):
            self.lease = self.command.lease
            self.total = self.reported = len(self.command.generated)
            self.trace = self.script.trace(self.command)

    @property
    def before(self) -> int:
        """Tokens of the branch from earlier runs."""
        return len(self.command.generated) if isinstance(self.command, Start) else 0

    @property
    def context(self) -> tuple[int, ...]:
        """All that the engine reads before it generates."""
        if isinstance(self.command, Rate):
            return (*self.program.prompt, *self.command.tokens)
        if not self.command.prefix and not self.command.generated:
            return self.program.prompt
        return (*self.program.prompt, *self.command.prefix, *self.command.generated)

    @property
    def next_thought(self) -> int | None:
        """Tokens of the branch at the end of its next thought that was not reported; None: nobody
        wants to know, or it has none."""
        measure = self.command.measure if isinstance(self.command, Start) else None
        if measure is None or not measure.thoughts or self.trace is None:
            return None
        return self.trace.thought_after(self.reported)

    @property
    def thought_over(self) -> bool:
        """Whether a thought has ended that was not reported."""
        at = self.next_thought
        return at is not None and at <= self.total

    @property
    def most(self) -> int:
        """Tokens of the branch at which this run ends, whatever its lease."""
        assert isinstance(self.command, Start) and self.trace is not None
        return min(self.trace.tokens, self.command.max_tokens)

    @property
    def limit(self) -> int:
        """Tokens that this run generates, under its lease."""
        return max(1, min(self.most, self.lease) - self.before)

    @property
    def writes(self) -> range:
        """The tokens that it may come to generate."""
        return generated(self.command.branch, self.before, self.most, self.script.shift)

    def ended(self, new: int, cached_tokens: int) -> None:
        """The engine is done with it, after so many new tokens."""
        self.cached_tokens = cached_tokens
        if isinstance(self.command, Rate):
            self.end = self._judged(self.command, cached_tokens)
            return
        self.total = self.before + new
        reason: Literal["lease", "stopped"] = "stopped" if self.taken_back else "lease"
        self.end = self._natural_end(cached_tokens) or End(reason, cached_tokens=cached_tokens)

    def verified(self) -> None:
        """A verifier has judged it."""
        assert isinstance(self.command, Rate)
        self.end = End("stop", scores=self.script.scores(self.command))

    def news(self) -> RunReport:
        """What happened since the last call; the engine has said what it generated."""
        first, self.reported = self.reported, self.total
        packed = packed_tokens(self.command.branch, first, self.total, self.script.shift)
        measured = None
        if isinstance(self.command, Start) and self.command.measure is not None:
            assert self.trace is not None
            over = self.end is not None
            measured = self.trace.measured(self.command.measure, first, self.total, over)
        cached, self.cached_tokens = self.cached_tokens, None
        return RunReport(self.command.run, first, packed, self.end, measured, cached)

    def _natural_end(self, cached_tokens: int) -> End | None:
        """The end it has come to by itself; None: it has not."""
        trace = self.trace
        assert trace is not None
        if self.total < self.most:
            return None
        if self.total < trace.tokens:
            return End("length", cached_tokens=cached_tokens)
        if trace.finish == "step":
            return End("step", "", max(0, self.total - 1), cached_tokens=cached_tokens)
        said = trace.answer if isinstance(self.command, Start) and self.command.read else None
        answer = None if said is None else Answer(said, said)
        return End(trace.finish, answer=answer, cached_tokens=cached_tokens)

    def _judged(self, rate: Rate, cached_tokens: int) -> End:
        if self.taken_back:
            return End("stopped")
        read = len(self.program.prompt) + len(rate.tokens) - cached_tokens
        scores = self.script.scores(rate)
        return End("stop", cached_tokens=cached_tokens, scores=scores, read_tokens=read)
