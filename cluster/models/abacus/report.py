"""What an evaluation measures on chains of thought, and the tables that show it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from cluster.models.abacus.problems import Problem
from cluster.models.abacus.reasoner import CHECK_LINE, THINK_END, best_answer

_BOXED = re.compile(r"\\boxed\{(\d+)\}")


@dataclass(frozen=True)
class Chain:
    """One generated response to ``problem``; ``text`` starts right after ``<think>\\n``."""

    problem: Problem
    system: str | None
    text: str
    tokens: int

    @property
    def lines(self) -> list[str]:
        """The complete lines of the thinking."""
        return self.text.partition(THINK_END)[0].split("\n")[:-1]

    @property
    def answer(self) -> int | None:
        """The boxed answer after the thinking, or None if there is none."""
        boxed = _BOXED.search(self.text.partition(THINK_END)[2])
        return int(boxed[1]) if boxed else None

    @property
    def right(self) -> bool:
        """Whether the boxed answer is the exact one."""
        return self.answer == self.problem.answer

    def cuts_after_passes(self) -> list[int]:
        """Return after how many lines each pass ends, in order."""
        ends = [index for index, line in enumerate(self.lines) if line == CHECK_LINE]
        return [*ends, len(self.lines)]

    def best_at(self, cut: int) -> int | None:
        """Return the current best answer after ``cut`` lines, None if the chain is garbled."""
        try:
            return best_answer(self.problem, self.lines[:cut])
        except ValueError:
            return None

    def settled_share(self) -> float:
        """Return after which share of its lines, 0..1, the pass results no longer change."""
        cuts = self.cuts_after_passes()
        last = self.best_at(cuts[-1])
        settled = cuts[-1]
        for cut in reversed(cuts):
            if self.best_at(cut) != last:
                break
            settled = cut
        return settled / max(1, cuts[-1])


@dataclass(frozen=True)
class LevelRow:
    """Figures of one level: shares in 0..1, ``tokens`` the mean length of a response."""

    level: int
    pass_at_1: float
    majority: float
    tokens: float
    unanswered: float


@dataclass(frozen=True)
class LongRow:
    """Figures of "Think hard." at one level; all but ``passes`` and ``tokens`` are shares."""

    level: int
    passes: float
    planned: float
    tokens: float
    first_pass: float
    pass_at_1: float
    settled: float
    repaired: float
    repaired_late: float


@dataclass(frozen=True)
class ProbeRow:
    """Figures of probes at one place: ``expected`` and ``final`` are shares in 0..1."""

    place: str
    probes: int
    expected: float
    final: float


def level_row(groups: Sequence[Sequence[Chain]]) -> LevelRow:
    """Return the figures of one level; each group holds the chains of one problem."""
    chains = [chain for group in groups for chain in group]
    return LevelRow(
        level=chains[0].problem.level,
        pass_at_1=fmean(chain.right for chain in chains),
        majority=fmean(_majority(group) == group[0].problem.answer for group in groups),
        tokens=fmean(chain.tokens for chain in chains),
        unanswered=fmean(chain.answer is None for chain in chains),
    )


def long_row(chains: Sequence[Chain]) -> LongRow:
    """Return the figures of long chains of one level."""
    cuts = [chain.cuts_after_passes() for chain in chains]
    first = [
        chain.best_at(cut[0]) == chain.problem.answer
        for chain, cut in zip(chains, cuts, strict=True)
    ]
    third = [
        chain.best_at(cut[min(2, len(cut) - 1)]) == chain.problem.answer
        for chain, cut in zip(chains, cuts, strict=True)
    ]
    right = [chain.right for chain in chains]
    return LongRow(
        level=chains[0].problem.level,
        passes=fmean(len(cut) for cut in cuts),
        planned=fmean(4 <= len(cut) <= 8 for cut in cuts),
        tokens=fmean(chain.tokens for chain in chains),
        first_pass=fmean(first),
        pass_at_1=fmean(right),
        settled=fmean(chain.settled_share() for chain in chains),
        repaired=fmean(r and not f for r, f in zip(right, first, strict=True)),
        repaired_late=fmean(r and not t for r, t in zip(right, third, strict=True)),
    )


def level_table(rows: Sequence[LevelRow]) -> str:
    """Return the table of levels in Markdown."""
    return _table(
        ("level", "pass@1", "majority of 16", "tokens", "no answer"),
        [
            (
                f"{row.level}",
                f"{row.pass_at_1:.2f}",
                f"{row.majority:.2f}",
                f"{row.tokens:.0f}",
                f"{row.unanswered:.3f}",
            )
            for row in rows
        ],
    )


def long_table(rows: Sequence[LongRow]) -> str:
    """Return the table of "Think hard." in Markdown."""
    head = ("level", "passes", "4 to 8 passes", "tokens", "first pass right", "pass@1")
    return _table(
        (*head, "settled after", "repaired after pass 1", "repaired after pass 3"),
        [
            (
                f"{row.level}",
                f"{row.passes:.1f}",
                f"{row.planned:.2f}",
                f"{row.tokens:.0f}",
                f"{row.first_pass:.2f}",
                f"{row.pass_at_1:.2f}",
                f"{row.settled:.2f}",
                f"{row.repaired:.2f}",
                f"{row.repaired_late:.2f}",
            )
            for row in rows
        ],
    )


def probe_table(rows: Sequence[ProbeRow]) -> str:
    """Return the table of probes in Markdown."""
    return _table(
        ("probe after", "probes", "current best answer", "answer of the chain's end"),
        [(row.place, f"{row.probes}", f"{row.expected:.3f}", f"{row.final:.3f}") for row in rows],
    )


def failures(levels: Sequence[LevelRow]) -> list[str]:
    """Return the requirements that ``levels`` (1 to 8 among them) miss, in words."""
    by_level = {row.level: row for row in levels}
    trained = [by_level[level] for level in range(1, 9)]
    gain = fmean(row.majority - row.pass_at_1 for row in trained[2:])
    unanswered = fmean(row.unanswered for row in trained)
    checks = {
        f"pass@1 at level 1 is {trained[0].pass_at_1:.3f}, wanted at least 0.85": (
            trained[0].pass_at_1 >= 0.85
        ),
        f"pass@1 at level 8 is {trained[-1].pass_at_1:.3f}, wanted at most 0.6": (
            trained[-1].pass_at_1 <= 0.6
        ),
        f"majority beats pass@1 by {gain:.3f} over levels 3-8, wanted at least 0.1": gain >= 0.1,
        f"{unanswered:.3f} have no answer over levels 1-8, wanted at most 0.02": (
            unanswered <= 0.02
        ),
    }
    return [text for text, met in checks.items() if not met]


def _majority(chains: Sequence[Chain]) -> int | None:
    votes = Counter(chain.answer for chain in chains if chain.answer is not None)
    return votes.most_common(1)[0][0] if votes else None


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
