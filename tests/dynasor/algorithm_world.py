"""A program around one algorithm, run as the core runs it, on branches that end at random.

Everything that the interface promises is checked on the way; what happens is decided by a seed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

import msgspec

from dynasor.algorithms import Algorithm, StopHint
from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.policies import ProgramView, Verdict
from dynasor.replay.program import FixedMarket
from dynasor.value.episode import Family
from dynasor.work import (
    Drop,
    Dropped,
    Event,
    Finish,
    Finished,
    Generate,
    Grew,
    Measure,
    Measured,
    Score,
    Started,
    Thought,
    WorkItem,
)

MAX_EVENTS = 20_000
QUERY_LIMIT = 400
"""Most tokens of a branch in these worlds."""

TEXTS = {key: Random(key).randbytes(8) for key in ("red", "blue")}
"""Free text answers, with their sketches."""


class Decides(Protocol):
    """All that these worlds want of a policy."""

    def verdict(self, program: ProgramView) -> Verdict: ...


class Trickle:
    """Grants a few units now and then, and never holds an idle program."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def verdict(self, program: ProgramView) -> Verdict:
        least = 0 if program.active else 1
        return Verdict(program.started + self._random.randint(least, 3))


@dataclass
class Running:
    """A work item that was accepted."""

    item: Generate | Score
    tokens: int = 0
    thoughts: list[Thought] = field(default_factory=list)
    hedged: bool = False
    dropped: bool = False
    finished: Finished | None = None


class AlgorithmWorld:
    """Runs an algorithm to its end; satisfies `ProgramView`.

    Args:
        cap: most units it may ever begin; None: not known.
        swap_every: after so many events the algorithm is replaced by one restored from its
            snapshot, again and again.
    """

    def __init__(
        self,
        algorithm: Algorithm[Any, Any],
        policy: Decides,
        seed: int,
        cap: int | None = None,
        swap_every: int | None = None,
    ) -> None:
        self.algorithm = algorithm
        self.branches: dict[int, Running] = {}
        self.accepted: list[WorkItem] = []
        self.events = 0
        self.outcome = ""
        self.family = Family("model", algorithm.name)
        self.max_disagreement: float | None = None
        self.market = FixedMarket()
        self._policy = policy
        self._cap = cap
        self._swap_every = swap_every
        self._said: set[str] = set()
        self._random = Random(seed)
        # Each world has a character: how often things fail, and how far its chains agree.
        self._failures = self._random.choice([0.0, 0.0, 0.05, 0.4])
        self._answers = self._random.choice([["1"], ["1", "1", "1", "2", ""], [*TEXTS, "1", ""]])
        self._growth = self._random.choice([0.3, 0.7, 0.95])

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    @property
    def started(self) -> int:
        return sum(running.item.units for running in self.branches.values())

    @property
    def active(self) -> int:
        return len(self._active())

    @property
    def generated(self) -> int:
        return sum(running.tokens for running in self.branches.values())

    def certaindex(self) -> Certaindex:
        return self.algorithm.certaindex()

    def run(self) -> None:
        """Until the program ends, by whom ever."""
        self.check()
        while not self._advance():
            for _ in range(self._random.randint(1, 3)):
                if self.active:
                    self._happen(self._random.choice(self._active()))
        for branch in self._active():
            self._finish(branch, "stopped")

    # What the core does.

    def _advance(self) -> bool:
        """Let the policy decide, and carry it out; whether the program has ended."""
        while not self.outcome:
            ended = self._ended
            verdict = self._policy.verdict(self)
            while items := self._affordable(verdict.allowance):
                for item in items:
                    self._accept(item)
            if verdict.settled:
                self.outcome = "certain"
            elif self._ended > ended:
                continue
            elif self.active:
                return False
            else:
                assert not list(self.algorithm.demand()), "it would wait for ever"
                self.outcome = "complete"
        return True

    def _affordable(self, allowance: int | None) -> list[WorkItem]:
        items: list[WorkItem] = []
        begun = self.started
        for item in self.algorithm.demand():
            units = _units(item)
            begun += units
            if units and allowance is not None and begun > allowance:
                break
            items.append(item)
        return items

    def _accept(self, item: WorkItem) -> None:
        self.accepted.append(item)
        self._check_item(item)
        if not isinstance(item, Drop):
            self.branches[item.branch] = Running(item)
            self._observe(Started(item.branch))
            return
        self.branches[item.branch].dropped = True
        self._observe(Dropped(item.branch))
        if self._random.random() < 0.3:
            # It waited for room, so there is nothing to stop.
            self._finish(item.branch, "stopped")

    def _observe(self, event: Event) -> None:
        self.events += 1
        assert self.events < MAX_EVENTS, "it doesn't come to an end"
        self.algorithm.observe(event)
        if self._swap_every is not None and self.events % self._swap_every == 0:
            self.algorithm = again(self.algorithm)
        self.check()

    @property
    def _ended(self) -> int:
        return len(self.branches) - self.active

    # What replicas do.

    def _active(self) -> list[int]:
        return [branch for branch, running in self.branches.items() if running.finished is None]

    def _happen(self, branch: int) -> None:
        """Something happens to a branch that runs."""
        running = self.branches[branch]
        item = running.item
        if self._random.random() < self._failures:
            self._finish(branch, self._random.choice(("stopped", "error", "error")))
        elif running.dropped and self._random.random() < 0.8:
            self._finish(branch, "stopped")
        elif isinstance(item, Score):
            count = self._random.randint(1, 4) if item.steps else 1
            scores = tuple(self._random.choice([0.0, 1.0, 0.3, 0.7]) for _ in range(count))
            self._finish(branch, "stop", scores=scores)
        elif self._random.random() < self._growth and self._grow(running) and item.follow:
            self._observe(Grew(branch, running.tokens, self._measured(running)))
        else:
            self._end(branch, item, running)

    def _grow(self, running: Running) -> bool:
        """Whether there was room for more tokens."""
        room = _limit(running.item) - running.tokens - 1
        if room < 1:
            return False
        running.tokens += self._random.randint(1, min(room, 30))
        return True

    def _end(self, branch: int, item: Generate, running: Running) -> None:
        finishes: list[Finish] = ["stop", "length"]
        if {"step", "think_end"} & {*item.until}:
            finishes += ["step", "step", "step"]
        finish = self._random.choice(finishes)
        limit = _limit(item)
        if finish == "length":
            running.tokens = limit
        elif running.tokens < limit:
            running.tokens += self._random.randint(1, limit - running.tokens)
        self._finish(branch, finish, reads=item.read)

    def _finish(
        self, branch: int, finish: Finish, reads: bool = False, scores: tuple[float, ...] = ()
    ) -> None:
        running = self.branches[branch]
        tokens = running.tokens
        answer = self._answer() if reads and finish in ("stop", "length") else None
        if answer is not None:
            self._said.add(answer.key)
        kept = self._random.randint(0, tokens) if finish == "step" else tokens
        measured = self._measured(running)
        running.finished = Finished(branch, finish, answer, tokens, kept, measured, scores)
        self._observe(running.finished)

    def _answer(self) -> Answer | None:
        key = self._random.choice(self._answers)
        return Answer(f"${key}$", key, TEXTS.get(key)) if key else None

    def _measured(self, running: Running) -> Measured | None:
        item = running.item
        measure = item.measure if isinstance(item, Generate) else None
        if measure is None or not running.tokens:
            return None
        if measure.thoughts:
            self._think(running, measure)
        running.hedged = running.hedged or (measure.hedges and self._random.random() < 0.2)
        confident = bool(measure.group)
        full = measure.group and running.tokens >= measure.group
        return Measured(
            lowest=self._random.uniform(0, 20) if full else None,
            bottom=self._random.uniform(0, 20) if full else None,
            tail=self._random.uniform(0, 20) if confident else None,
            mean=self._random.uniform(0, 20) if confident else None,
            log_probability=-self._random.choice([0.0, 0.01, 1.0]) if measure.probability else None,
            thoughts=tuple(running.thoughts),
            hedged=running.hedged,
        )

    def _think(self, running: Running, measure: Measure) -> None:
        known = running.thoughts[-1].end if running.thoughts else 0
        new = range(known + 1, running.tokens + 1)
        for end in sorted(self._random.sample(new, min(len(new), self._random.randint(0, 2)))):
            sketch = self._random.choice([bytes(8), self._random.randbytes(8)])
            running.thoughts.append(Thought(end, sketch if measure.sketches else b""))

    # What holds.

    def check(self) -> None:
        """All that is promised at any moment."""
        before = msgspec.json.encode(self.algorithm.state)
        demanded, index, best = view(self.algorithm)
        assert view(self.algorithm) == (demanded, index, best), "reading twice gives the same"
        assert msgspec.json.encode(self.algorithm.state) == before, "reading changes nothing"
        self._check_demand(demanded)
        self._check_certaindex(index, demanded)
        if best.branch is not None:
            shown = self.branches[best.branch]
            assert isinstance(shown.item, Generate), "a chain can be shown, a score can't"
        assert best.answer is None or best.branch is not None
        assert best.answer is None or best.answer.key in self._said, "an answer that nobody gave"

    def _check_demand(self, demanded: list[WorkItem]) -> None:
        units = [_units(item) for item in demanded]
        assert all(count >= 0 for count in units)
        assert sorted(units, key=bool) == units, "what begins no unit comes first"
        assert self._cap is None or self.started + sum(units) <= self._cap
        drops = [item.branch for item in demanded if isinstance(item, Drop)]
        begun = [item.branch for item in demanded if not isinstance(item, Drop)]
        assert len({*drops}) == len(drops) and len({*begun}) == len(begun)
        for item in demanded:
            self._check_item(item)

    def _check_item(self, item: WorkItem) -> None:
        match item:
            case Drop(branch):
                running = self.branches[branch]
                assert not running.dropped, "it is dropped already"
            case Score(branch, target):
                assert branch >= 0 and branch not in self.branches
                assert self.branches[target].finished is not None, "only what has ended is judged"
                assert isinstance(self.branches[target].item, Generate)
                assert item.scorer == self.algorithm.scorer
            case Generate(branch):
                assert branch >= 0 and branch not in self.branches
                self._check_generate(item)

    def _check_generate(self, item: Generate) -> None:
        assert item.max_tokens is None or item.max_tokens >= 1
        assert "box" not in item.until or item.inject in ("probe", "close")
        if item.parent is None:
            assert item.at is None
            return
        parent = self.branches[item.parent]
        assert isinstance(parent.item, Generate), "nothing goes on from a score"
        assert item.at is None or 0 <= item.at <= parent.tokens

    def _check_certaindex(self, index: Certaindex, demanded: list[WorkItem]) -> None:
        assert all(0.0 <= value <= 1.0 for value in index.signals.values()), index.signals
        assert 0.0 <= index.value <= 1.0
        ended = self._ended
        assert sum(vote.count for vote in index.votes) + index.abstained <= ended
        assert 0 <= index.streak <= ended
        assert index.measured <= self.started
        if not self.active and all(_units(item) for item in demanded):
            assert index.measured == self.started, "a policy would wait for ever"


def again(algorithm: Algorithm[Any, Any]) -> Algorithm[Any, Any]:
    """The same, through a snapshot in JSON, as it would go through a file or a wire."""
    copy = type(algorithm)(algorithm.params)
    copy.restore(msgspec.json.decode(msgspec.json.encode(algorithm.snapshot())))
    return copy


def view(algorithm: Algorithm[Any, Any]) -> tuple[Any, ...]:
    """All there is to see of an algorithm."""
    return list(algorithm.demand()), algorithm.certaindex(), algorithm.answer()


def _limit(item: Generate | Score) -> int:
    most = item.max_tokens if isinstance(item, Generate) else 0
    return QUERY_LIMIT if most is None else min(most, QUERY_LIMIT)


def _units(item: WorkItem) -> int:
    return 0 if isinstance(item, Drop) else item.units
