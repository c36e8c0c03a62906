"""What an evaluation measures of a reward model, and the tables that show it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cluster.models.abacus.report import Chain

PAR = 0.9
"""The least area under the curve that passes."""

_BINS = 10


@dataclass(frozen=True)
class ScoredChain:
    """A chain of abacus with the scores of a reward model, all in 0..1.

    Attributes:
        steps: (score, whether the value is right) after each line that ends in a value.
        end: the score after its last token.
    """

    chain: Chain
    steps: tuple[tuple[float, bool], ...]
    end: float


@dataclass(frozen=True)
class StepRow:
    """Figures of chains of one kind; ``lines`` are counted, ``right`` is a share in 0..1."""

    kind: str
    lines: int
    right: float
    step_auc: float
    end_auc: float
    chains_right: float


@dataclass(frozen=True)
class ChoiceRow:
    """Shares in 0..1 of problems solved by ways to choose among the chains of each."""

    kind: str
    pass_at_1: float
    majority: float
    weighted: float
    best: float
    any_right: float


def auc(scores: NDArray[Any] | Sequence[float], rights: NDArray[Any] | Sequence[bool]) -> float:
    """Return the chance that a right one scores above a wrong one, ties counting one half.

    NaN if all are right or all are wrong.
    """
    right = np.asarray(rights, dtype=bool)
    _, place, count = np.unique(np.asarray(scores), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    rights_count = int(right.sum())
    pairs = rights_count * (right.size - rights_count)
    if not pairs:
        return float("nan")
    return float((ranks[right].sum() - rights_count * (rights_count + 1) / 2) / pairs)


def calibration_error(scores: Sequence[float], rights: Sequence[bool]) -> float:
    """Return the mean distance between scores and shares of right ones, in ten equal bins."""
    values, right = np.asarray(scores), np.asarray(rights, dtype=float)
    bins = np.minimum((values * _BINS).astype(int), _BINS - 1)
    gaps = [abs(float((values - right)[bins == index].sum())) for index in range(_BINS)]
    return sum(gaps) / len(values)


def step_row(kind: str, chains: Sequence[ScoredChain]) -> StepRow:
    """Return the figures of ``chains``."""
    steps = [step for each in chains for step in each.steps]
    rights = [each.chain.right for each in chains]
    return StepRow(
        kind,
        lines=len(steps),
        right=fmean(right for _, right in steps),
        step_auc=auc([score for score, _ in steps], [right for _, right in steps]),
        end_auc=auc([each.end for each in chains], rights),
        chains_right=fmean(rights),
    )


def choice_row(kind: str, groups: Sequence[Sequence[ScoredChain]]) -> ChoiceRow:
    """Return the figures of ``groups``, each with the chains of one problem."""
    answers = [each[0].chain.problem.answer for each in groups]

    def share(choices: Iterable[int | None]) -> float:
        return fmean(choice == answer for choice, answer in zip(choices, answers, strict=True))

    return ChoiceRow(
        kind,
        pass_at_1=fmean(each.chain.right for group in groups for each in group),
        majority=share(_vote(group, weighted=False) for group in groups),
        weighted=share(_vote(group, weighted=True) for group in groups),
        best=share(max(group, key=lambda each: each.end).chain.answer for group in groups),
        any_right=fmean(any(each.chain.right for each in group) for group in groups),
    )


def step_table(rows: Sequence[StepRow]) -> str:
    """Return the table of step rows in Markdown."""
    return _table(
        ("chains", "lines", "lines right", "AUC of lines", "chains right", "AUC of chains"),
        [
            (
                row.kind,
                f"{row.lines}",
                f"{row.right:.2f}",
                f"{row.step_auc:.4f}",
                f"{row.chains_right:.2f}",
                f"{row.end_auc:.4f}",
            )
            for row in rows
        ],
    )


def choice_table(rows: Sequence[ChoiceRow]) -> str:
    """Return the table of choice rows in Markdown."""
    return _table(
        ("level", "pass@1", "majority", "weighted vote", "best of all", "any right"),
        [
            (
                row.kind,
                *(
                    f"{share:.2f}"
                    for share in (
                        row.pass_at_1,
                        row.majority,
                        row.weighted,
                        row.best,
                        row.any_right,
                    )
                ),
            )
            for row in rows
        ],
    )


def failures(rows: Sequence[StepRow]) -> list[str]:
    """Return the areas under the curve that are below `PAR`, in words; undefined ones pass."""
    return [
        f"AUC of {what} is {area:.3f} in {row.kind}, wanted at least {PAR}"
        for row in rows
        for what, area in (("lines", row.step_auc), ("chains", row.end_auc))
        if area < PAR
    ]


def _vote(group: Sequence[ScoredChain], *, weighted: bool) -> int | None:
    if not weighted:
        votes = Counter(each.chain.answer for each in group if each.chain.answer is not None)
        return votes.most_common(1)[0][0] if votes else None
    weights: defaultdict[int, float] = defaultdict(float)
    for each in group:
        if each.chain.answer is not None:
            weights[each.chain.answer] += each.end
    return max(weights, key=lambda answer: weights[answer]) if weights else None


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
