"""A program: the live reasoning of one query, and its branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dynasor.algorithms import Algorithm, Best, StopHint
from dynasor.branch import Branch
from dynasor.budget.accounts import Account
from dynasor.certaindex import Certaindex
from dynasor.fleet.prefix import block_hashes
from dynasor.inputs import Submit
from dynasor.messages import End
from dynasor.policies import Market, Policy, Verdict
from dynasor.result import Progress, Result, StopReason, TokenCount
from dynasor.starting import begin
from dynasor.terms import Terms
from dynasor.value.episode import Family
from dynasor.work import (
    Drop,
    Dropped,
    Event,
    Finish,
    Generate,
    Grew,
    Measured,
    Score,
    Started,
    WorkItem,
)

T = TypeVar("T")


@dataclass(slots=True)
class Program:
    """Holds the algorithm's state; satisfies `ProgramView` for policies.

    Asks its algorithm and its policy; what they raise becomes its ``fault`` and ends this program
    alone.

    Attributes:
        arrival: running number of its submission.
        market: the cluster as policies see it.
        account: its tokens.
        explored: it is run to its cap, whatever its policy says, to learn from it.
        stop: why it ends; None: it goes on.
        settle_until: when its result is given at the latest, once it ends.
        first_run_at: when its first branch got its first lease; None: none has.
        shown_at: when progress was last reported.
        fault: what its algorithm or policy raised.
        stop_hint: its algorithm's, which stays the same.
        family: programs like it.
        started: units of its algorithm's knob that have begun.
        generated: tokens of all branches.
        read: tokens that judges read for it.
        branches: all there were, by number; ``running`` are those with a run, ``waiting`` those
            that want one.
        prompt_blocks: hashes of the prompt's blocks, by block size.
    """

    submitted: Submit
    arrival: int
    algorithm: Algorithm[Any, Any]
    policy: Policy
    market: Market
    account: Account
    submitted_at: float
    explored: bool = False
    stop: StopReason | None = None
    settle_until: float | None = None
    first_run_at: float | None = None
    shown_at: float = float("-inf")
    fault: str = ""
    id: str = field(init=False)
    prompt: tuple[int, ...] = field(init=False)
    terms: Terms = field(init=False)
    stop_hint: StopHint = field(init=False)
    family: Family = field(init=False)
    started: int = 0
    generated: int = 0
    read: int = 0
    branches: dict[int, Branch] = field(default_factory=dict)
    running: dict[int, Branch] = field(default_factory=dict)
    waiting: dict[int, Branch] = field(default_factory=dict)
    prompt_blocks: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _certaindex: Certaindex | None = None
    _dropped: list[Branch] = field(default_factory=list)

    def __post_init__(self) -> None:
        submitted, spec = self.submitted, self.submitted.query.program
        self.id, self.prompt, self.terms = submitted.query_id, submitted.prompt, spec.terms
        self.stop_hint = self.algorithm.stop_hint
        self.family = Family(self.submitted.model, spec.algorithm, spec.terms.tag)

    @property
    def max_disagreement(self) -> float | None:
        return self.terms.contract

    @property
    def active(self) -> int:
        return len(self.running) + len(self.waiting)

    @property
    def spent(self) -> int:
        """Tokens computed for it beyond its prompt."""
        return self.generated + self.read

    @property
    def deadline_at(self) -> float | None:
        deadline_s = self.terms.deadline_s
        return None if deadline_s is None else self.submitted_at + deadline_s

    def certaindex(self) -> Certaindex:
        if self._certaindex is None:
            self._certaindex = self._asked(self._evidence, Certaindex())
        return self._certaindex

    def verdict(self) -> Verdict:
        """What the policy grants now. One that is explored goes on where its policy would stop."""
        verdict = self._asked(lambda: self.policy.verdict(self), Verdict(0))
        if self.explored and verdict.stop is not None:
            wave = self.stop_hint.wave
            return Verdict(None if wave is None else self.started + wave)
        return verdict

    def renews(self) -> bool:
        """Whether the policy gives its running branches more, and lets paused ones go on."""
        return self._asked(lambda: self.policy.renew(self), False)

    def context(self, branch: Branch) -> tuple[int, ...]:
        """Token ids the branch continues from."""
        if not branch.prefix and not branch.tokens:
            return self.prompt
        return (*self.prompt, *branch.prefix, *branch.tokens)

    def blocks(self, branch: Branch, block_size: int) -> tuple[int, ...]:
        """Hashes of the whole blocks the branch continues from; the prompt's are kept, for all
        branches share them."""
        if branch.prefix or branch.tokens:
            return block_hashes(self.context(branch), block_size)
        if block_size not in self.prompt_blocks:
            self.prompt_blocks[block_size] = block_hashes(self.prompt, block_size)
        return self.prompt_blocks[block_size]

    def parent(self, branch: Branch) -> Branch | None:
        """The branch it goes on from, or that it judges."""
        item = branch.item
        number = item.target if isinstance(item, Score) else item.parent
        return None if number is None else self.branches[number]

    def accept(self, allowance: int | None) -> bool:
        """Take demanded work until ``allowance`` units have begun in all (None: all of it).

        Returns:
            Whether the algorithm wants more than it got.
        """
        return self._asked(lambda: self._accept(allowance), False)

    def placed(self, branch: Branch, now: float) -> None:
        """A waiting branch has a run now."""
        if self.first_run_at is None:
            self.first_run_at = now
        del self.waiting[branch.id]
        self.running[branch.id] = branch

    def pause(self, branch: Branch, end: End | None = None) -> None:
        """A running branch waits again: its lease or its replica is gone."""
        branch.run, branch.end = None, end
        del self.running[branch.id]
        self.waiting[branch.id] = branch

    def grow(self, branch: Branch, new: int, measured: Measured | None) -> bool:
        """The branch has ``new`` more tokens; its algorithm learns of it if it follows.

        Returns:
            Whether it learned something.
        """
        self.generated += new
        if measured is not None:
            branch.measure(measured)
        item = branch.item
        if not isinstance(item, Generate) or not item.follow:
            return False
        self._observe(Grew(branch.id, len(branch.tokens), branch.measured))
        return True

    def finish(self, branch: Branch, finish: Finish, end: End | None = None) -> None:
        """The branch has ended for good; the algorithm learns of it."""
        branch.run, branch.finish, branch.end = None, finish, end
        self.running.pop(branch.id, None)
        self.waiting.pop(branch.id, None)
        self._observe(branch.finished)

    def take_dropped(self) -> list[Branch]:
        """Running branches that its algorithm has given up since the last call."""
        dropped, self._dropped = self._dropped, []
        return [branch for branch in dropped if branch.run is not None]

    def tokens(self) -> TokenCount:
        """Tokens spent so far, by kind."""
        kept = discarded = probe = score = 0
        for branch in self.branches.values():
            count = len(branch.tokens)
            if branch.kind == "score":
                score += branch.read_tokens
            elif branch.kind == "probe":
                probe += count
            elif branch.ended_by_itself:
                kept += count
            else:
                discarded += count
        cached = sum(branch.cached_tokens for branch in self.branches.values())
        return TokenCount(len(self.prompt), kept, discarded, probe, score, cached)

    def result(self, now: float) -> Result:
        """The outcome as of now."""
        best = self._asked(self.algorithm.answer, Best(None, None))
        certaindex = self.certaindex()
        chosen = best.branch if best.branch is not None else self._longest()
        return Result(
            query_id=self.id,
            stop="failed" if self.fault else self.stop or "complete",
            answer=best.answer,
            chosen=chosen,
            certaindex=certaindex,
            branches=tuple(branch.result() for branch in self.branches.values()),
            tokens=self.tokens(),
            elapsed_s=now - self.submitted_at,
            fault=self.fault,
        )

    def progress(self, now: float) -> Progress:
        """How far it is as of now."""
        views = tuple(branch.view() for branch in self.branches.values())
        elapsed = now - self.submitted_at
        return Progress(self.id, self.certaindex(), views, self.generated, elapsed)

    def answer_key(self) -> str | None:
        """What it would answer now, as far as answers can be compared."""
        answer = self._asked(self.algorithm.answer, Best(None, None)).answer
        return None if answer is None else answer.key

    def _evidence(self) -> Certaindex:
        certaindex = self.algorithm.certaindex()
        if not all(0.0 <= value <= 1.0 for value in certaindex.signals.values()):
            raise ValueError(f"signals must be in [0, 1], got {certaindex.signals}")
        return certaindex

    def _longest(self) -> int | None:
        chains = [branch for branch in self.branches.values() if branch.kind == "sample"]
        longest = max(chains, key=lambda b: (len(b.prefix) + len(b.tokens), -b.id), default=None)
        return None if longest is None else longest.id

    def _accept(self, allowance: int | None) -> bool:
        # What was accepted may make the algorithm want more at once, as dropping a branch does.
        while items := self._affordable(allowance):
            for item in items:
                if isinstance(item, Drop):
                    self._drop(self.branches[item.branch])
                else:
                    self._begin(item)
        return next(self.algorithm.demand(), None) is not None

    def _affordable(self, allowance: int | None) -> list[WorkItem]:
        items: list[WorkItem] = []
        begun = self.started
        for item in self.algorithm.demand():
            units = 0 if isinstance(item, Drop) else item.units
            begun += units
            if units and allowance is not None and begun > allowance:
                break
            items.append(item)
        return items

    def _begin(self, item: Generate | Score) -> None:
        if item.branch in self.branches:
            raise ValueError(f"the algorithm starts branch {item.branch} twice")
        branch = begin(item, self.branches, self.submitted)
        self.branches[item.branch] = self.waiting[item.branch] = branch
        self.started += item.units
        self._certaindex = None
        self.algorithm.observe(Started(item.branch))

    def _drop(self, branch: Branch) -> None:
        branch.dropped = True
        self._certaindex = None
        self.algorithm.observe(Dropped(branch.id))
        if branch.waiting:
            self.finish(branch, "stopped", branch.end)
        else:
            self._dropped.append(branch)

    def _observe(self, event: Event) -> None:
        self._certaindex = None
        self._asked(lambda: self.algorithm.observe(event), None)

    def _asked(self, question: Callable[[], T], otherwise: T) -> T:
        if self.fault:
            return otherwise
        try:
            return question()
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
            return otherwise
