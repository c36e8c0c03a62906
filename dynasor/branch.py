"""A branch: one work item of a program on its way through the cluster."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from dynasor.answers.answer import Answer
from dynasor.messages import End
from dynasor.result import BranchResult, BranchView
from dynasor.token_ids import TOKEN_BYTES, TOKEN_ID
from dynasor.work import BranchKind, Finish, Finished, Generate, Measured, Score

GENERATE = "generate"
"""The service of replicas that generate."""


@dataclass(slots=True)
class Branch:
    """One sequence of a program, or the scoring of one.

    Attributes:
        prefix: token ids after the prompt that it goes on from, those injected for it included.
        injected: how many of them, the last ones, were injected.
        unseen: how many of them, the last ones, a user has not been shown: the phrase at which its
            parent ended, and what was injected.
        limit: tokens it may generate in all; None: what the context length leaves.
        reserve: tokens of the context that it leaves for what follows.
        after: branch and number of its tokens that a user sees before this one's; None: nothing,
            or the user does not see this one.
        tokens: generated so far, as reported.
        drawn: tokens granted to its current run.
        replica: where it runs or last ran.
        run: its current run; None: it waits or has ended.
        runs: how often it was placed.
        losses: how often its replica was lost under it.
        dropped: its algorithm has given it up.
        finish: why it ended; None: it has not.
        measured: by all its runs so far.
    """

    item: Generate | Score
    prefix: tuple[int, ...] = ()
    injected: int = 0
    unseen: int = 0
    limit: int | None = None
    reserve: int = 0
    after: tuple[int, int] | None = None
    tokens: array[int] = field(default_factory=lambda: array(TOKEN_ID))
    drawn: int = 0
    replica: str | None = None
    run: int | None = None
    runs: int = 0
    losses: int = 0
    cached_tokens: int = 0
    read_tokens: int = 0
    dropped: bool = False
    finish: Finish | None = None
    end: End | None = None
    measured: Measured | None = None
    _before: Measured | None = None
    _tokens_before: int = 0

    @property
    def id(self) -> int:
        return self.item.branch

    @property
    def kind(self) -> BranchKind:
        return "score" if isinstance(self.item, Score) else self.item.kind

    @property
    def service(self) -> str:
        """What a replica must offer to run it."""
        return self.item.scorer if isinstance(self.item, Score) else GENERATE

    @property
    def parent(self) -> int | None:
        """Branch that it goes on from or judges; None: the prompt."""
        return self.item.target if isinstance(self.item, Score) else self.item.parent

    @property
    def waiting(self) -> bool:
        return self.finish is None and self.run is None

    @property
    def ended_by_itself(self) -> bool:
        return self.finish in ("stop", "step", "length")

    def place(self, run: int, replica: str) -> None:
        """It runs there now."""
        self.run, self.replica, self.runs = run, replica, self.runs + 1
        self._before, self._tokens_before = self.measured, len(self.tokens)

    def extend(self, start: int, packed: bytes) -> int:
        """Take packed tokens from offset ``start`` on; what is known already is not taken twice.

        Returns:
            How many were new.

        Raises:
            ValueError: there is a gap before ``start``, or a part of a token is missing.
        """
        known = len(self.tokens)
        if start > known:
            raise ValueError(f"branch {self.id}: report from {start}, known {known}")
        self.tokens.frombytes(packed[(known - start) * TOKEN_BYTES :])
        return len(self.tokens) - known

    def measure(self, news: Measured) -> None:
        """Take what its current run has measured, after the tokens it was measured on."""
        known = self.measured.thoughts if self.measured is not None else ()
        newest = known[-1].end if known else 0
        thoughts = (*known, *(thought for thought in news.thoughts if thought.end > newest))
        before = self._before or Measured()
        share = self._tokens_before / max(1, len(self.tokens)) if self._before is not None else 0.0
        self.measured = Measured(
            lowest=_least(before.lowest, news.lowest),
            bottom=_least(before.bottom, news.bottom),
            tail=news.tail if news.tail is not None else before.tail,
            mean=_mixed(before.mean, news.mean, share),
            log_probability=_mixed(before.log_probability, news.log_probability, share),
            thoughts=thoughts,
            hedged=before.hedged or news.hedged,
        )

    @property
    def computed(self) -> int:
        """Tokens that its current run, or its last one, has generated as far as is known; what a
        judge reads is told at its end."""
        return len(self.tokens) - self._tokens_before

    @property
    def finished(self) -> Finished:
        """What its algorithm learns of its end."""
        assert self.finish is not None, "it has ended"
        end = self.end or End("stopped")
        count = len(self.tokens)
        return Finished(
            self.id, self.finish, end.answer, count, self.kept, self.measured, tuple(end.scores)
        )

    @property
    def kept(self) -> int:
        """Tokens before the phrase at which it ended, or all."""
        at_boundary = self.finish == "step" and self.end is not None
        return self.end.kept if at_boundary and self.end is not None else len(self.tokens)

    @property
    def answer(self) -> Answer | None:
        return self.end.answer if self.end is not None else None

    def result(self) -> BranchResult:
        """What is told of it at the end."""
        end = self.end or End("stopped")
        return BranchResult(
            branch=self.id,
            kind=self.kind,
            prefix=self.prefix,
            packed=self.tokens.tobytes(),
            finish=self.finish,
            stop_reason=end.stop_reason,
            answer=end.answer,
            cached_tokens=self.cached_tokens,
            replica=self.replica,
            runs=self.runs,
            scores=end.scores,
            message=end.message,
            parent=self.parent,
            injected=self.injected,
            log_probability=self.measured.log_probability if self.measured else None,
        )

    def view(self) -> BranchView:
        """What is told of it on the way."""
        state = self.finish or ("waiting" if self.run is None else "running")
        answer = self.answer
        return BranchView(
            self.id, self.kind, state, len(self.tokens), answer.text if answer else None
        )


def _least(a: float | None, b: float | None) -> float | None:
    return min((value for value in (a, b) if value is not None), default=None)


def _mixed(before: float | None, news: float | None, share: float) -> float | None:
    """The mean over all tokens, of which ``share`` were there before."""
    if before is None or news is None:
        return news if before is None else before
    return share * before + (1 - share) * news
