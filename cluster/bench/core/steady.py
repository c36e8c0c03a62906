"""A core under a steady load that exists in memory only: what `cluster.bench.core` times."""

from __future__ import annotations

import itertools
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any, NamedTuple

from cluster.bench.core.meter import Meter
from cluster.bench.core.synthetic import FIRST_TOKEN, INFO, SLOTS, SyntheticReplica
from dynasor.algorithms import DEFAULT_ALGORITHM
from dynasor.core import Core
from dynasor.errors import Overloaded
from dynasor.inputs import Submit
from dynasor.query import Query
from dynasor.settings import CoreSettings
from dynasor.step import Step

BRANCHES = 10
"""Live branches of a program, about."""

MAX_BRANCHES = 16
WIDE: dict[str, dict[str, Any]] = {"threshold": {"knob": BRANCHES}, "beta": {"confidence": 0.9995}}
"""Parameters with which a policy's first wave is `BRANCHES` wide; others get their own."""

RUNNING = 0.512
"""Share of the live branches that have a slot; the others wait."""

REPORT_PERIOD_S = 0.5
"""Between two reports of one replica."""

SYSTEM_TOKENS, OWN_TOKENS = 128, 72
"""Of a prompt: those that all share, and its own."""

MOST_TIMES_PROGRAMS = 6
"""Times the programs of the size, if a policy begins so few branches of each."""

LOOKS = 50
"""How often the live branches are counted while that many are submitted as the size says."""

TURNOVERS = 4
"""Times that as many runs as there are slots end before anything is measured."""


class Size(NamedTuple):
    """How much is live. ``branches``: begun and not ended, running or waiting for room."""

    branches: int

    @property
    def programs(self) -> int:
        return max(1, self.branches // BRANCHES)

    @property
    def replicas(self) -> int:
        return max(1, round(self.branches * RUNNING / SLOTS))


@dataclass(frozen=True, slots=True)
class Load:
    """A size, a policy and an order of the queue; order None: the core's default."""

    size: Size
    policy: str
    order: str | None = None
    seed: int = 0

    def settings(self) -> CoreSettings:
        """Of the core. Raises pydantic.ValidationError: no such order."""
        queue = {} if self.order is None else {"queue": {"order": self.order}}
        return CoreSettings.model_validate({"max_programs": 1_000_000, **queue})

    def query(self) -> Query:
        """One of its queries; they differ in nothing but their prompts. Raises
        pydantic.ValidationError: no such policy."""
        policy = {"name": self.policy, **WIDE.get(self.policy, {})}
        program = {
            "algorithm": DEFAULT_ALGORITHM,
            "max_branches": MAX_BRANCHES,
            "policy": policy,
            "deadline_s": 600,
        }
        return Query.model_validate({"prompt": "?", "program": program})


class SteadyState:
    """A core, its replicas, and as many programs as at the beginning: one that ends is replaced.

    A replica's turn is a sign of life, a report of runs that grow, a report of runs that end, and
    what the core says to it. In a cluster one report holds both kinds; here they are apart so that
    their costs are.
    """

    def __init__(self, load: Load, meter: Meter) -> None:
        self.core = Core(load.settings())
        self.now = 0.0
        self._load = load
        self._meter = meter
        self._rng = Random(load.seed)
        self._numbers = itertools.count()
        self._system = tuple(self._token() for _ in range(SYSTEM_TOKENS))
        names = [f"replica-{number:04}" for number in range(load.size.replicas)]
        self._replicas = {name: SyntheticReplica(name, self._rng) for name in names}
        self._turns = itertools.cycle(self._replicas.values())

    @property
    def live_branches(self) -> int:
        """Begun and not ended."""
        return sum(program.active for program in self.core.programs.values())

    def fill(self) -> None:
        """Come to the size, and to a state that lasts."""
        first, *others = self._replicas
        self._attach(first)
        self.top_up()
        for name in others:
            self._attach(name)
        for _ in range(TURNOVERS):
            self._turn_over()
            self.top_up()
            for replica in self._replicas.values():
                replica.fresh = False

    def top_up(self) -> None:
        """Submit programs until there are as many branches as the size says: a program begins with
        many live branches and ends with one, so that replacing it is not enough."""
        size = self._load.size
        at_once = max(1, size.programs // LOOKS)
        while len(self.core.programs) < size.programs or (
            self.live_branches < size.branches
            and len(self.core.programs) < size.programs * MOST_TIMES_PROGRAMS
        ):
            for _ in range(at_once):
                self._take(self._submit())

    def run(self, events: int) -> None:
        """Go on for at least this many events of the meter."""
        while self._meter.total.events < events:
            self.turn()

    def turn(self) -> int:
        """Let the next replica have its turn. Returns how many of its runs have ended."""
        self.now += REPORT_PERIOD_S / len(self._replicas)
        wake_at = self.core.wake_at
        if wake_at is not None and wake_at <= self.now:
            self._take(self._meter.step("others", 0, self.core.tick, self.now))
        replica = next(self._turns)
        self._take(self._meter.step("others", 0, self.core.heard, replica.id, self.now))
        growth, ends = replica.advance()
        for kind, report in (("growth", growth), ("ends", ends)):
            if report.runs:
                count = len(report.runs)
                step = self._meter.step(kind, count, self.core.report, replica.id, report, self.now)
                self._take(step)
        return len(ends.runs)

    def _turn_over(self) -> None:
        """Let as many runs end as there are slots."""
        ended, slots = 0, len(self._replicas) * SLOTS
        while ended < slots:
            ended += self.turn()

    def _attach(self, name: str) -> None:
        self._take(self.core.attach(name, INFO, self.now))

    def _take(self, step: Step) -> None:
        """Carry out commands and replace programs that have ended."""
        steps = deque([step])
        while steps:
            step = steps.popleft()
            for name, commands in step.commands.items():
                self._replicas[name].carry_out(commands)
            steps += [self._submit() for _ in step.results]

    def _submit(self) -> Step:
        """Submit one more program, whether or not the door would have let it in."""
        number = next(self._numbers)
        own = tuple(self._token() for _ in range(OWN_TOKENS))
        submission = Submit(f"query-{number}", self._load.query(), (*self._system, *own))
        self._meter.time("door", self._knock, submission)
        return self._meter.step("submissions", 0, self.core.handle, submission, self.now)

    def _knock(self, submission: Submit) -> None:
        with suppress(Overloaded):
            self.core.check_room(submission, self.now)

    def _token(self) -> int:
        return self._rng.randrange(FIRST_TOKEN, 150_000)
