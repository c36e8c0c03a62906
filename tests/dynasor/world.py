"""A fleet in virtual time: carries out the core's commands as engine replicas do.

Every chain is scripted: how long it gets and what it answers. Token ids follow from the query, the
branch and the position, so that a branch that goes on elsewhere can be checked token by token.
The world asserts what a replica may rely on; a core that breaks it fails the test at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from dynasor.core import Core
from dynasor.inputs import Input, Learned, Submit
from dynasor.journal import Entry, encode
from dynasor.messages import (
    Command,
    Extend,
    Rate,
    Report,
    Reset,
    Start,
    Stop,
)
from dynasor.query import Query
from dynasor.result import Progress, Result
from dynasor.settings import CoreSettings
from dynasor.step import Step
from tests.dynasor.simulated import (
    Placed,
    Script,
    SimReplica,
    answering,
    as_start,
    info,
    tokens_of,
)

STEP_S = 0.05
CHUNK = 8
"""Tokens of each run in one step."""
MAX_STEPS = 4000
INJECTIONS = {"probe": (71, 72), "close": (73,), "wait": (74,)}


class World:
    """A core, its replicas and their callers.

    Attributes:
        results: by query id.
        result_at: when each came.
        commands: every command in the order it was given, with the replica it went to.
        placed: every run there was.
        generated: tokens generated for a query, by whatever run.
        credited: tokens per (query, branch) that reached the core in time.
        journal: the core's event log.
    """

    def __init__(self, script: Script | None = None, **knobs: Any) -> None:
        self.settings = CoreSettings(**knobs)
        self.core = Core(self.settings, self._log)
        self.now = 100.0
        self.replicas: dict[str, SimReplica] = {}
        self.dead: dict[str, SimReplica] = {}
        self.submissions: dict[str, Submit] = {}
        self.results: dict[str, Result] = {}
        self.result_at: dict[str, float] = {}
        self.progress: list[Progress] = []
        self.commands: list[tuple[str, Command]] = []
        self.placed: dict[int, Placed] = {}
        self.generated: Counter[str] = Counter()
        self.credited: Counter[tuple[str, int]] = Counter()
        self.journal: list[bytes] = []
        self._script = script or answering("42")
        self._attachments = 0

    # What callers do.

    def submit(
        self,
        query_id: str = "q",
        *,
        prompt: int | tuple[int, ...] = 32,
        watched: bool = False,
        sampling: dict[str, Any] | None = None,
        **program: Any,
    ) -> None:
        """Submit a query; ``prompt`` is its token ids, or how many of its own it has."""
        if isinstance(prompt, int):
            prompt = tokens_of(query_id, 99, 0, prompt)
        document = {"prompt": "?", "program": program, "sampling": sampling or {}}
        submission = Submit(
            query_id,
            Query.model_validate(document),
            prompt,
            injections=INJECTIONS,
            watched=watched,
        )
        step = self.core.submit(submission, self.now)
        self.submissions[query_id] = submission
        self.results.pop(query_id, None)
        for key in [key for key in self.credited if key[0] == query_id]:
            del self.credited[key]
        self.take(step)

    def cancel(self, query_id: str = "q") -> None:
        self.take(self.core.cancel(query_id, self.now))

    def learn(self, document: dict[str, Any]) -> None:
        """What traffic has taught before is loaded."""
        self.take(self.core.handle(Learned(document), self.now))

    # What happens to replicas.

    def attach(self, replica_id: str = "a", **what: Any) -> SimReplica:
        """A replica attaches, for the first time or again; what it ran is gone."""
        old = self.replicas.get(replica_id)
        self._attachments += 1
        new = SimReplica(
            replica_id, old.info if old and not what else info(**what), self._attachments, self.now
        )
        if old is not None:
            new.held, new.holding = old.held, old.holding
        self.replicas[replica_id] = new
        self.dead.pop(replica_id, None)
        self.take(self.core.attach(replica_id, new.info, self.now))
        return new

    def leave(self, replica_id: str = "a") -> None:
        """A replica says goodbye and ends."""
        del self.replicas[replica_id]
        self.take(self.core.detach(replica_id, self.now))

    def die(self, replica_id: str = "a") -> None:
        """A replica is gone without a word."""
        self.dead[replica_id] = self.replicas.pop(replica_id)

    def apply(self, replica_id: str = "a") -> None:
        """A replica polls: it carries out the commands there are for it."""
        replica = self.replicas[replica_id]
        self._hear(replica)
        commands, replica.inbox = replica.inbox, []
        for command in commands:
            replica.carry_out(command)

    def generate(self, replica_id: str = "a", tokens: int = CHUNK) -> None:
        """Every run of a replica gets up to so many tokens further."""
        replica = self.replicas[replica_id]
        for run in replica.live:
            chain = self._script(*run.key)
            self.generated[run.start.program] += run.generate(chain, tokens)

    def report(self, replica_id: str = "a", times: int = 1) -> None:
        """A replica sends its news, if it has any (``times`` above 1: they arrive again)."""
        replica = self.replicas[replica_id]
        report = replica.gather()
        if report.runs and replica.holding:
            replica.held.append(report)
        elif report.runs:
            for _ in range(times):
                self._send(replica, report)

    def release(self, replica_id: str = "a", times: int = 1) -> None:
        """Reports that were held back arrive, in their order; none is held back any more."""
        replica = self.replicas[replica_id]
        held, replica.held, replica.holding = replica.held, [], False
        for report in held:
            for _ in range(times):
                self._send(replica, report)

    # Time.

    def step(self) -> None:
        """Let a little time pass; every replica does what it does in it."""
        self.pass_time(STEP_S)
        for replica_id, replica in list(self.replicas.items()):
            if not replica.silent:
                if not replica.attachment:
                    self.attach(replica_id)
                self.apply(replica_id)
            self.generate(replica_id)
            if not replica.silent:
                self.report(replica_id)

    def pass_time(self, seconds: float) -> None:
        """Advance the clock; the core is woken exactly when it asked to be."""
        until = self.now + seconds
        while (wake_at := self.core.wake_at) is not None and wake_at <= until:
            self.now = max(self.now, wake_at)
            self.take(self.core.tick(self.now))
            later = self.core.wake_at
            assert later is None or later > self.now, "a tick has left something overdue"
        self.now = until

    def steps(self, count: int) -> None:
        for _ in range(count):
            self.step()

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Go on until all queries have their results, or ``until`` holds; fails if that never
        comes."""
        done = until or (lambda: not self.core.programs)
        for _ in range(MAX_STEPS):
            if done():
                return
            self.step()
        raise AssertionError(f"not there after {MAX_STEPS} steps: {list(self.core.programs)}")

    def solve(self, query_id: str = "q", **submission: Any) -> Result:
        """Submit a query and wait for its result."""
        self.submit(query_id, **submission)
        self.run()
        return self.results[query_id]

    # What there is to see.

    def sent(self, kind: type[Command]) -> list[Any]:
        """Commands of one kind in the order they were given."""
        return [command for _, command in self.commands if isinstance(command, kind)]

    def starts(self, query_id: str = "q", branch: int | None = None) -> list[Placed]:
        """Runs of a query in the order they were started."""
        return [
            placed
            for placed in self.placed.values()
            if placed.start.program == query_id and branch in (None, placed.start.branch)
        ]

    def running(self, query_id: str = "q") -> set[int]:
        """Branches that replicas run at this moment."""
        runs = [run for replica in self.replicas.values() for run in replica.live]
        return {run.start.branch for run in runs if run.start.program == query_id}

    def known(self, replica: SimReplica) -> bool:
        """Whether the core counts on this replica."""
        silence_ends = replica.heard_at + self.settings.replica_timeout_s
        return replica.attachment > 0 and self.now < silence_ends

    # What the core says.

    def take(self, step: Step) -> None:
        """Check and pass on what an input led to."""
        for replica_id, commands in step.commands.items():
            assert commands, "an empty batch of commands"
            self.commands += [(replica_id, command) for command in commands]
            replica = self.replicas.get(replica_id)
            if commands == (Reset(),):
                if replica is not None:
                    replica.reset()
                continue
            there = replica or self.dead.get(replica_id)
            assert there is not None and self.known(there), "commands for a replica that is lost"
            for command in commands:
                self._check(replica_id, replica, command)
            if replica is not None:
                replica.inbox += commands
        for result in step.results:
            self._take_result(result)
        self.progress += step.progress

    def _check(self, replica_id: str, replica: SimReplica | None, command: Command) -> None:
        """What holds when a command is given, whenever it is carried out."""
        match command:
            case Start():
                self._check_start(replica_id, replica, command)
            case Rate():
                self._check_start(replica_id, replica, as_start(command))
                assert replica is None or command.scorer in replica.info.services
            case Stop(run):
                assert not self.placed[run].stopped, "stopped twice"
                assert self.placed[run].replica == replica_id, "stopped where it does not run"
                self.placed[run].stopped = True
            case Extend(run):
                assert self.placed[run].replica == replica_id, "extended where it does not run"
                assert not self.placed[run].stopped, "extended after its stop"
            case Reset():
                raise AssertionError("a reset comes alone")

    def _check_start(self, replica_id: str, replica: SimReplica | None, start: Start) -> None:
        assert start.run not in self.placed, "the number of a run used twice"
        owner = self.submissions[start.program]
        assert start.program in self.core.programs, "a start after the result"
        for other in (*self.replicas.values(), *self.dead.values()):
            for run in other.open if self.known(other) else ():
                placed = self.placed[run]
                same = placed.owner is owner and placed.start.branch == start.branch
                assert not same, "a second start of a branch that runs"
        known = self.credited[start.program, start.branch]
        assert start.generated == tokens_of(start.program, start.branch, 0, known)
        assert known <= start.lease <= start.max_tokens
        assert start.seed is None or 0 <= start.seed < 2**63
        attachment = 0
        if replica is not None:
            assert self.known(replica), "a start on a replica that is lost"
            assert len(replica.open) < replica.most_runs, "more runs than the engine is to hold"
            length = len(owner.prompt) + len(start.prefix) + start.max_tokens
            assert length <= replica.info.max_model_len, "more than the context holds"
            replica.open.add(start.run)
            attachment = replica.attachment
        self.placed[start.run] = Placed(start, owner, replica_id, attachment)

    def _take_result(self, result: Result) -> None:
        query_id = result.query_id
        assert query_id in self.submissions, "a result nobody asked for"
        assert query_id not in self.results, "a second result"
        self.results[query_id], self.result_at[query_id] = result, self.now
        for branch in result.branches:
            credited = self.credited[query_id, branch.branch]
            assert len(branch.tokens) == credited, "tokens lost or counted twice"
            assert tuple(branch.tokens) == tokens_of(query_id, branch.branch, 0, credited)
        count = result.tokens
        whole = {"stop", "step", "length"}
        chains = [branch for branch in result.branches if branch.kind == "sample"]
        lengths = [(branch.finish in whole, len(branch.tokens)) for branch in chains]
        assert count.kept == sum(length for kept, length in lengths if kept)
        assert count.discarded == sum(length for kept, length in lengths if not kept)
        assert count.generated == sum(len(branch.tokens) for branch in result.branches)
        assert count.prompt == len(self.submissions[query_id].prompt)

    def _log(self, event: Input, now: float, step: Step) -> None:
        self.journal.append(encode(Entry(now, event, step)))

    # What a replica does.

    def _hear(self, replica: SimReplica) -> None:
        """The core hears of a replica; one that it had given up is answered with a reset."""
        known = self.known(replica)
        if known:
            replica.heard_at = self.now
        self.take(self.core.heard(replica.id, self.now))
        assert known == (replica.attachment > 0)

    def _send(self, replica: SimReplica, report: Report) -> None:
        """A report reaches the core; noted first is what it has to make of it."""
        known = self.known(replica)
        if known:
            replica.heard_at = self.now
            for news in report.runs:
                placed = self.placed[news.run]
                if placed.replica != replica.id or placed.attachment != replica.attachment:
                    continue
                query_id, branch = placed.start.program, placed.start.branch
                if query_id in self.core.programs and self.submissions[query_id] is placed.owner:
                    reached = news.start + len(news.tokens)
                    key = (query_id, branch)
                    self.credited[key] = max(self.credited[key], reached)
                if news.end is not None:
                    replica.open.discard(news.run)
        self.take(self.core.report(replica.id, report, self.now))
        assert known == (replica.attachment > 0)
