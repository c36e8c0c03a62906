"""A program: the live reasoning of one query, and its branches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from dynasor.algorithms import Algorithm, Best, StopHint
from dynasor.certaindex import Certaindex
from dynasor.messages import End
from dynasor.policies import Policy, Verdict
from dynasor.prefix import block_hashes
from dynasor.query import Query
from dynasor.result import BranchResult, BranchView, Progress, Result, StopReason, TokenCount
from dynasor.work import BranchKind, Finish, Finished, Started

T = TypeVar("T")


@dataclass(slots=True)
class Branch:
    """One sequence of a program.

    Attributes:
        prefix: the algorithm's prefix, after the prompt.
        limit: tokens it may generate in all; None: what the context length leaves.
        tokens: generated so far, as reported.
        replica: where it runs or last ran.
        run: its current run; None: it waits or has ended.
        runs: how often it was placed.
        losses: how often its replica was lost under it.
        finish: why it ended; None: it has not.
    """

    id: int
    kind: BranchKind
    prefix: tuple[int, ...]
    limit: int | None
    tokens: list[int] = field(default_factory=list)
    replica: str | None = None
    run: int | None = None
    runs: int = 0
    losses: int = 0
    cached_tokens: int = 0
    finish: Finish | None = None
    end: End | None = None

    @property
    def waiting(self) -> bool:
        return self.finish is None and self.run is None

    def extend(self, start: int, tokens: tuple[int, ...]) -> None:
        """Take tokens from offset ``start`` on; what is known already is not taken twice.

        Raises:
            ValueError: there is a gap before ``start``.
        """
        if start > len(self.tokens):
            raise ValueError(f"branch {self.id}: report from {start}, known {len(self.tokens)}")
        self.tokens.extend(tokens[len(self.tokens) - start :])


@dataclass(slots=True)
class Program:
    """Holds the algorithm's state; satisfies `ProgramView` for policies.

    Asks its algorithm and its policy; what they raise becomes its ``fault`` and ends this program
    alone.

    Attributes:
        arrival: running number of its submission.
        prompt: token ids.
        watched: somebody wants progress reports.
        stop: why it ends; None: it goes on.
        settle_until: when its result is given at the latest, once it ends.
        shown_at: when progress was last reported.
        fault: what its algorithm or policy raised.
        prompt_blocks: hashes of the prompt's blocks, by block size.
    """

    id: str
    arrival: int
    query: Query
    prompt: tuple[int, ...]
    algorithm: Algorithm[Any, Any]
    policy: Policy
    submitted_at: float
    sink: str | None = None
    watched: bool = False
    branches: dict[int, Branch] = field(default_factory=dict)
    stop: StopReason | None = None
    settle_until: float | None = None
    shown_at: float = float("-inf")
    fault: str = ""
    prompt_blocks: dict[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def stop_hint(self) -> StopHint:
        return self.algorithm.stop_hint

    @property
    def started(self) -> int:
        return len(self.branches)

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
        deadline_s = self.query.program.deadline_s
        return None if deadline_s is None else self.submitted_at + deadline_s

    def certaindex(self) -> Certaindex:
        return self._asked(self.algorithm.certaindex, Certaindex(0.0))

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

    def accept(self, allowance: int | None) -> bool:
        """Take demanded work until ``allowance`` items were started in all (None: all of it).

        Returns:
            Whether the algorithm wants more than it got.
        """
        return self._asked(lambda: self._accept(allowance), False)

    def _accept(self, allowance: int | None) -> bool:
        room = None if allowance is None else max(0, allowance - self.started)
        for item in list(islice(self.algorithm.demand(), room)):
            limits = [item.max_tokens, self.query.sampling.max_tokens]
            limit = min((value for value in limits if value is not None), default=None)
            self.branches[item.branch] = Branch(item.branch, item.kind, item.prefix, limit)
            self.algorithm.observe(Started(item.branch))
        return next(self.algorithm.demand(), None) is not None

    def finish(self, branch: Branch, finish: Finish, end: End | None = None) -> None:
        """The branch has ended for good; the algorithm learns of it."""
        branch.run, branch.finish, branch.end = None, finish, end
        answer = end.answer if end is not None else None
        event = Finished(branch.id, finish, answer, len(branch.tokens))
        self._asked(lambda: self.algorithm.observe(event), None)

    def tokens(self) -> TokenCount:
        """Tokens spent so far, by kind."""
        kept = discarded = probe = 0
        for branch in self.branches.values():
            count = len(branch.tokens)
            if branch.kind == "probe":
                probe += count
            elif branch.finish in ("stop", "length"):
                kept += count
            else:
                discarded += count
        cached = sum(branch.cached_tokens for branch in self.branches.values())
        return TokenCount(len(self.prompt), kept, discarded, probe, cached)

    def result(self, now: float) -> Result:
        """The outcome as of now."""
        best = self._asked(self.algorithm.answer, Best(None, None))
        certaindex = self.certaindex()
        chosen = best.branch
        if chosen is None and self.branches:
            chosen = max(self.branches.values(), key=lambda b: (len(b.tokens), -b.id)).id
        return Result(
            query_id=self.id,
            stop="failed" if self.fault else self.stop or "complete",
            answer=best.answer,
            chosen=chosen,
            certaindex=certaindex,
            branches=tuple(_branch_result(branch) for branch in self.branches.values()),
            tokens=self.tokens(),
            elapsed_s=now - self.submitted_at,
            fault=self.fault,
        )

    def progress(self, now: float) -> Progress:
        """How far it is as of now."""
        views = tuple(_branch_view(branch) for branch in self.branches.values())
        elapsed = now - self.submitted_at
        return Progress(self.id, self.certaindex(), views, self.generated, elapsed)

    def _asked(self, question: Callable[[], T], otherwise: T) -> T:
        if self.fault:
            return otherwise
        try:
            return question()
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
            return otherwise


def _branch_result(branch: Branch) -> BranchResult:
    end = branch.end or End("stopped")
    return BranchResult(
        branch=branch.id,
        kind=branch.kind,
        tokens=tuple(branch.tokens),
        finish=branch.finish,
        stop_reason=end.stop_reason,
        answer=end.answer,
        cached_tokens=branch.cached_tokens,
        replica=branch.replica,
        runs=branch.runs,
        message=end.message,
    )


def _branch_view(branch: Branch) -> BranchView:
    state = branch.finish or ("waiting" if branch.run is None else "running")
    answer = branch.end.answer if branch.end is not None else None
    return BranchView(branch.id, state, len(branch.tokens), answer.text if answer else None)
