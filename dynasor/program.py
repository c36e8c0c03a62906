"""A program: the live reasoning of one query, and its branches."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from dynasor.algorithms import Algorithm, Best, StopHint
from dynasor.branch import Branch
from dynasor.certaindex import Certaindex
from dynasor.fleet.prefix import block_hashes
from dynasor.inputs import Submit
from dynasor.messages import End
from dynasor.policies import Policy, Verdict
from dynasor.result import Progress, Result, StopReason, TokenCount
from dynasor.work import Drop, Dropped, Finish, Generate, Grew, Measured, Score, Started, WorkItem

T = TypeVar("T")


@dataclass(slots=True)
class Program:
    """Holds the algorithm's state; satisfies `ProgramView` for policies.

    Asks its algorithm and its policy; what they raise becomes its ``fault`` and ends this program
    alone.

    Attributes:
        arrival: running number of its submission.
        stop: why it ends; None: it goes on.
        settle_until: when its result is given at the latest, once it ends.
        shown_at: when progress was last reported.
        fault: what its algorithm or policy raised.
        prompt_blocks: hashes of the prompt's blocks, by block size.
    """

    submitted: Submit
    arrival: int
    algorithm: Algorithm[Any, Any]
    policy: Policy
    submitted_at: float
    branches: dict[int, Branch] = field(default_factory=dict)
    stop: StopReason | None = None
    settle_until: float | None = None
    shown_at: float = float("-inf")
    fault: str = ""
    prompt_blocks: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.submitted.query_id

    @property
    def prompt(self) -> tuple[int, ...]:
        return self.submitted.prompt

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    @property
    def started(self) -> int:
        return sum(branch.item.units for branch in self.branches.values())

    @property
    def active(self) -> int:
        return sum(branch.finish is None for branch in self.branches.values())

    @property
    def running(self) -> list[Branch]:
        return [branch for branch in self.branches.values() if branch.run is not None]

    @property
    def waiting(self) -> list[Branch]:
        return [branch for branch in self.branches.values() if branch.waiting]

    @property
    def generated(self) -> int:
        return sum(len(branch.tokens) for branch in self.branches.values())

    @property
    def deadline_at(self) -> float | None:
        deadline_s = self.submitted.query.program.terms.deadline_s
        return None if deadline_s is None else self.submitted_at + deadline_s

    def certaindex(self) -> Certaindex:
        return self._asked(self.algorithm.certaindex, Certaindex())

    def verdict(self) -> Verdict:
        """What the policy grants now."""
        return self._asked(lambda: self.policy.verdict(self), Verdict(0))

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

    def grow(self, branch: Branch, measured: Measured | None) -> None:
        """The branch has more tokens; its algorithm learns of it if it follows."""
        if measured is not None:
            branch.measure(measured)
        item = branch.item
        if isinstance(item, Generate) and item.follow:
            event = Grew(branch.id, len(branch.tokens), branch.measured)
            self._asked(lambda: self.algorithm.observe(event), None)

    def finish(self, branch: Branch, finish: Finish, end: End | None = None) -> None:
        """The branch has ended for good; the algorithm learns of it."""
        branch.run, branch.finish, branch.end = None, finish, end
        self._asked(lambda: self.algorithm.observe(branch.finished), None)

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
        branch = self._score(item) if isinstance(item, Score) else self._generate(item)
        self.branches[item.branch] = branch
        self.algorithm.observe(Started(item.branch))

    def _drop(self, branch: Branch) -> None:
        branch.dropped = True
        self.algorithm.observe(Dropped(branch.id))
        if branch.waiting:
            self.finish(branch, "stopped", branch.end)

    def _score(self, item: Score) -> Branch:
        target = self.branches[item.target]
        return Branch(item, (*target.prefix, *target.tokens), limit=0)

    def _generate(self, item: Generate) -> Branch:
        inherited: tuple[int, ...] = ()
        after, boundary = None, 0
        if item.parent is not None:
            parent = self.branches[item.parent]
            at = len(parent.tokens) if item.at is None else item.at
            if at > len(parent.tokens):
                raise ValueError(f"branch {item.branch} shares {at} tokens of {len(parent.tokens)}")
            inherited = (*parent.prefix, *parent.tokens[:at])
            after = (parent.id, len(parent.tokens)) if item.show else None
            boundary = max(0, at - parent.kept)
        injections, most = self.submitted.injections, self.submitted.query.sampling.max_tokens
        injected = injections[item.inject] if item.inject else ()
        reserve = item.reserve + max(map(len, injections.values())) if item.reserve else 0
        reserve = reserve if most is None else min(reserve, most // 2)
        prefix = (*inherited, *injected)
        limits = [item.max_tokens]
        if most is not None:
            # A chain's limit is that of all its pieces; a probe is a chain of its own.
            limits.append(most if item.kind == "probe" else max(0, most - len(prefix) - reserve))
        return Branch(
            item=item,
            prefix=prefix,
            injected=len(injected),
            unseen=boundary + len(injected),
            limit=_least(limits),
            reserve=reserve,
            after=after,
        )

    def _asked(self, question: Callable[[], T], otherwise: T) -> T:
        if self.fault:
            return otherwise
        try:
            return question()
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
            return otherwise


def _least(limits: Iterable[int | None]) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)
