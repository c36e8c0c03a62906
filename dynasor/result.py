"""What a program returns, and what it shows while it runs."""

from __future__ import annotations

from typing import Literal

import msgspec

from dynasor.answers.answer import Answer
from dynasor.certaindex import Certaindex
from dynasor.token_ids import TOKEN_BYTES, unpack_tokens
from dynasor.work import BranchKind, Finish

StopReason = Literal["complete", "certain", "price", "budget", "deadline", "cancelled", "failed"]
"""complete: all demanded work is done; certain: its policy called the answer settled; price: what
more compute could improve was worth less than it costs; budget: its limit of tokens is reached;
deadline: its time was over; cancelled: the client left; failed: no branch could be run, or
its algorithm or policy has a defect."""


class BranchResult(msgspec.Struct, frozen=True, gc=False):
    """One chain.

    Attributes:
        prefix: token ids between the prompt and its own: its parents' and injected ones.
        packed: generated token ids, as by `dynasor.token_ids`.
        finish: why it ended; "stopped": compute was taken back, or never given.
        stop_reason: the stop string or token id that ended it.
        cached_tokens: prompt tokens found in a prefix cache, all its runs.
        replica: where it last ran.
        runs: how often it was placed; above 1 after a lost replica or an ended lease.
        parent: branch that it goes on from or judges; None: the prompt.
        injected: how many tokens of the prefix, the last ones, were injected.
        log_probability: see `dynasor.work.Measured`; None: not measured.
    """

    branch: int
    kind: BranchKind
    prefix: tuple[int, ...]
    packed: bytes
    finish: Finish | None
    stop_reason: str | int | None
    answer: Answer | None
    cached_tokens: int
    replica: str | None
    runs: int
    scores: tuple[float, ...] = ()
    message: str = ""
    parent: int | None = None
    injected: int = 0
    log_probability: float | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        """Generated token ids."""
        return unpack_tokens(self.packed)

    @property
    def generated(self) -> int:
        """How many tokens it has generated."""
        return len(self.packed) // TOKEN_BYTES

    @property
    def at(self) -> int:
        """Tokens of its chain before it, without those injected for it."""
        return len(self.prefix) - self.injected


class TokenCount(msgspec.Struct, frozen=True, gc=False):
    """Tokens by kind. ``kept``: chains and steps that ended by themselves; ``discarded``: those cut
    off; ``probe``: probes; ``score``: read by reward models, without those a cache supplied;
    ``prompt``: the prompt, once; ``cached``: prompt tokens that prefix caches supplied, all
    branches."""

    prompt: int = 0
    kept: int = 0
    discarded: int = 0
    probe: int = 0
    score: int = 0
    cached: int = 0

    @property
    def generated(self) -> int:
        """All generated tokens, whatever became of them."""
        return self.kept + self.discarded + self.probe

    @property
    def spent(self) -> int:
        """All tokens that were computed for the program beyond its prompt."""
        return self.generated + self.score


class Result(msgspec.Struct, frozen=True, gc=False, tag="result"):
    """How a program ended.

    Attributes:
        chosen: branch whose chain is shown; None: there is no branch.
        elapsed_s: from submission to here.
        fault: with "failed": what the algorithm or the policy raised, if it was their doing.
    """

    query_id: str
    stop: StopReason
    answer: Answer | None
    chosen: int | None
    certaindex: Certaindex
    branches: tuple[BranchResult, ...]
    tokens: TokenCount
    elapsed_s: float
    fault: str = ""


class BranchView(msgspec.Struct, frozen=True, gc=False):
    """A branch in a progress report: how far it is."""

    branch: int
    kind: BranchKind
    state: Literal["waiting", "running", "stop", "step", "length", "stopped", "error"]
    tokens: int
    answer: str | None


class Progress(msgspec.Struct, frozen=True, gc=False, tag="progress"):
    """How far a program is."""

    query_id: str
    certaindex: Certaindex
    branches: tuple[BranchView, ...]
    generated: int
    elapsed_s: float
