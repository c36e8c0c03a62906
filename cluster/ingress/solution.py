"""What a caller gets back: the chosen chain, what it cost, and how the program came to it."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from dynasor.certaindex import Certaindex
from dynasor.query import ProgramSpec
from dynasor.result import BranchResult, Progress, Result, StopReason
from dynasor.work import BranchKind, Finish

FinishReason = Literal["stop", "length"]


class _Plain(BaseModel):
    model_config = ConfigDict(frozen=True)


class Chain(_Plain):
    """A chain that is shown.

    Attributes:
        text: all of it, without special tokens.
        ending: the end of it that is not the chain's own: the program's answer, where the chain was
            cut before it said one.
        content: its answer part; where reasoning is not split off, everything.
        reasoning: the thinking before it; None: there was none.
        finish_reason: as in OpenAI's API; a chain whose compute was taken back ends by "length".
        stop_reason: the stop string or token id that ended it.
    """

    text: str
    ending: str
    content: str
    reasoning: str | None
    finish_reason: FinishReason
    stop_reason: str | int | None


class PromptDetails(_Plain):
    """``cached_tokens``: prompt tokens that the first chain found in a prefix cache."""

    cached_tokens: int


class CompletionDetails(_Plain):
    """``reasoning_tokens``: generated tokens that are not in the shown content."""

    reasoning_tokens: int


class Usage(_Plain):
    """Tokens spent. ``completion_tokens`` counts all that were generated: kept, discarded and
    probes; ``prompt_tokens`` counts the prompt once. What reward models read is told with the
    program."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptDetails
    completion_tokens_details: CompletionDetails | None = None


class VoteInfo(_Plain):
    """An answer, the number of chains behind it, and their weight."""

    answer: str
    count: int
    weight: float


class BranchInfo(_Plain):
    """A branch: why it ended, what it cost and said, how it was judged, where it ran, how often it
    was placed.

    Attributes:
        parent: branch that it goes on from or judges; None: the prompt.
        at: tokens of its chain before it, without those injected for it.
        confidence: mean probability of its tokens, exp of the mean logarithm of the most probable
            token's at each place; None: not measured.
    """

    branch: int
    kind: BranchKind
    parent: int | None
    at: int
    finish: Finish | None
    tokens: int
    answer: str | None
    confidence: float | None
    scores: tuple[float, ...]
    replica: str | None
    runs: int


class Tokens(_Plain):
    """Tokens by kind; see `dynasor.result.TokenCount`."""

    prompt: int
    kept: int
    discarded: int
    probe: int
    score: int
    cached: int
    generated: int
    spent: int


class ProgramInfo(_Plain):
    """How a program ended.

    Attributes:
        answer: the chosen answer as its chain wrote it; None: no chain says one.
        certaindex: how settled it is, in [0, 1]: the least of the signals.
        signals: by name, each in [0, 1].
        measured: units of the algorithm's knob behind it.
        votes: answers, most votes first.
        abstained: chains that ended without an answer.
        stop: why the program ended, see `dynasor.result.StopReason`.
        elapsed_s: from submission to the result.
    """

    algorithm: str
    policy: str
    answer: str | None
    certaindex: float
    signals: dict[str, float]
    measured: int
    votes: tuple[VoteInfo, ...]
    abstained: int
    branches: tuple[BranchInfo, ...]
    tokens: Tokens
    stop: StopReason
    elapsed_s: float


class Solution(_Plain):
    """The outcome of a query.

    Attributes:
        chains: all completions of a plain request; of a program, the chosen chain.
    """

    query_id: str
    chains: tuple[Chain, ...]
    usage: Usage
    program: ProgramInfo

    @property
    def content(self) -> str:
        """Content of the first chain."""
        return self.chains[0].content

    @property
    def reasoning(self) -> str | None:
        """Reasoning of the first chain."""
        return self.chains[0].reasoning

    @property
    def finish_reason(self) -> FinishReason:
        """Why the first chain ended."""
        return self.chains[0].finish_reason


def program_info(result: Result, spec: ProgramSpec, default_policy: str) -> ProgramInfo:
    """What is told about a program that ended."""
    count = result.tokens
    return ProgramInfo(
        algorithm=spec.algorithm,
        policy=spec.policy or default_policy,
        answer=None if result.answer is None else result.answer.text,
        certaindex=result.certaindex.value,
        signals=result.certaindex.signals,
        measured=result.certaindex.measured,
        votes=_votes(result.certaindex),
        abstained=result.certaindex.abstained,
        branches=tuple(_branch_info(branch) for branch in result.branches),
        tokens=Tokens(
            prompt=count.prompt,
            kept=count.kept,
            discarded=count.discarded,
            probe=count.probe,
            score=count.score,
            cached=count.cached,
            generated=count.generated,
            spent=count.spent,
        ),
        stop=result.stop,
        elapsed_s=round(result.elapsed_s, 6),
    )


def progress_info(progress: Progress) -> dict[str, Any]:
    """What is told about a program that runs."""
    return {
        "certaindex": progress.certaindex.value,
        "signals": progress.certaindex.signals,
        "measured": progress.certaindex.measured,
        "votes": [vote.model_dump() for vote in _votes(progress.certaindex)],
        "abstained": progress.certaindex.abstained,
        "branches": progress.branches,
        "generated": progress.generated,
        "elapsed_s": round(progress.elapsed_s, 6),
    }


def finish_reason(branch: BranchResult) -> FinishReason:
    """OpenAI's word for how a branch ended."""
    return "stop" if branch.finish == "stop" else "length"


def _votes(certaindex: Certaindex) -> tuple[VoteInfo, ...]:
    return tuple(
        VoteInfo(answer=vote.answer, count=vote.count, weight=vote.weight)
        for vote in certaindex.votes
    )


def _branch_info(branch: BranchResult) -> BranchInfo:
    return BranchInfo(
        branch=branch.branch,
        kind=branch.kind,
        parent=branch.parent,
        at=branch.at,
        finish=branch.finish,
        tokens=branch.generated,
        answer=None if branch.answer is None else branch.answer.text,
        confidence=_probability(branch.log_probability),
        scores=branch.scores,
        replica=branch.replica,
        runs=branch.runs,
    )


def _probability(log_probability: float | None) -> float | None:
    # Rounding may put the logarithm above 0.
    return None if log_probability is None else math.exp(min(0.0, log_probability))
