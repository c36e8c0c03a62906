"""What the outcomes of many problems under many rows add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from cluster.bench.jobs import Failure
from cluster.bench.majority import Curve, EqualTokens, at_equal_tokens, majority_curve
from cluster.bench.outcomes import Outcome
from cluster.bench.rows import MAJORITY_AT_EQUAL_TOKENS, Expectation, Row
from cluster.bench.stats import (
    Interval,
    difference_of_means,
    mean,
    paired_bootstrap,
    percentile,
    ratio_of_sums,
    share_interval,
)

Tokens = Literal["tokens", "thinking_tokens"]


@dataclass(frozen=True, slots=True)
class Figures:
    """A row over the problems that it answered; tokens are means per problem.

    Attributes:
        token_ratio: its tokens over those of the fixed-N row, on the problems that both answered.
        equal_tokens: beside majority voting with as many tokens, on the same problems.
        certaindex, measured: means at the end; certaindex None: nothing is measured.
        stops: why its programs ended, and how many did so.
        against: accuracy less that of its baseline, in points; None: it has none, or that did not
            run. The same with ``thinking_ratio``, thinking tokens over those of the baseline.
    """

    problems: int
    failures: int
    accuracy: Interval
    tokens: float
    probe: float
    score: float
    discarded: float
    thinking: float
    token_ratio: Interval | None
    equal_tokens: EqualTokens | None
    latency_p50_s: float
    latency_p99_s: float
    certaindex: float | None
    measured: float
    stops: dict[str, int]
    against: Interval | None
    thinking_ratio: Interval | None


@dataclass(frozen=True, slots=True)
class Check:
    """An expectation, and what was measured.

    Attributes:
        value: the difference or ratio; None: a row that it needs gave no results.
        met: whether its value is within the bound; None: nothing is known.
        clear: its whole interval says the same.
    """

    expectation: Expectation
    value: Interval | None
    met: bool | None
    clear: bool


class Results:
    """Figures of the rows that ran. Rows are compared on the problems that both answered."""

    def __init__(
        self,
        rows: Sequence[Row],
        majority: str,
        outcomes: Sequence[Outcome],
        failures: Sequence[Failure],
        seed: int,
    ) -> None:
        """``majority``: the row from whose chains majority voting is computed; it may be missing.
        ``seed``: of the bootstrap and of the votes that are drawn."""
        self.rows = tuple(rows)
        self.majority = majority
        self._of: dict[str, dict[int, Outcome]] = {row.name: {} for row in rows}
        for outcome in outcomes:
            self._of[outcome.row][outcome.problem] = outcome
        self._failures = Counter(failure.under for failure in failures)
        self._seed = seed
        self._curves = {
            problem: majority_curve(outcome.chains, seed + problem)
            for problem, outcome in self._of.get(majority, {}).items()
        }
        self.figures = {row.name: self._figures(row) for row in rows}
        """All that is known of a row, by name."""

    def difference(self, row: str, than: str) -> Interval | None:
        """Accuracy of a row less another's, in points; None: no problem was answered by both."""
        pairs = self._pairs(row, than)
        mine, base = ([100 * pair[side].correct for pair in pairs] for side in (0, 1))
        return paired_bootstrap(mine, base, difference_of_means, self._seed) if pairs else None

    def ratio(self, row: str, than: str, tokens: Tokens) -> Interval | None:
        """Tokens of a row over another's; None: no problem was answered by both."""
        pairs = [(_tokens(a, tokens), _tokens(b, tokens)) for a, b in self._pairs(row, than)]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if not known or not any(b for _, b in known):
            return None
        mine, base = zip(*known, strict=True)
        return paired_bootstrap(mine, base, ratio_of_sums, self._seed)

    def equal_tokens(self, row: str) -> EqualTokens | None:
        """A row beside majority voting; None: no problem was answered by both."""
        found = self._of.get(row, {})
        common = [problem for problem in sorted(found) if problem in self._curves]
        curves: list[Curve] = [self._curves[problem] for problem in common]
        if not curves:
            return None
        correct = [found[problem].correct for problem in common]
        spent = [float(found[problem].spent) for problem in common]
        return at_equal_tokens(correct, spent, curves, self._seed)

    def check(self, expectation: Expectation) -> Check:
        """Compare an expectation with what was measured."""
        value = self._measured(expectation)
        if value is None:
            return Check(expectation, None, met=None, clear=False)
        kind, bound = expectation.bound
        within = [
            {"above": number > bound, "at least": number >= bound, "at most": number <= bound}[kind]
            for number in value
        ]
        return Check(expectation, value, met=within[0], clear=len(set(within)) == 1)

    def _figures(self, row: Row) -> Figures:
        found = list(self._of[row.name].values())
        certain = [o.certaindex for o in found if o.certaindex is not None]
        latencies = [o.latency_s for o in found]
        base = row.baseline
        return Figures(
            problems=len(found),
            failures=self._failures[row.name],
            accuracy=share_interval([o.correct for o in found]),
            tokens=mean([o.spent for o in found]),
            probe=mean([o.probe for o in found]),
            score=mean([o.score for o in found]),
            discarded=mean([o.discarded for o in found]),
            thinking=mean([o.thinking for o in found if o.thinking is not None]),
            token_ratio=self.ratio(row.name, self.majority, "tokens"),
            equal_tokens=self.equal_tokens(row.name),
            latency_p50_s=percentile(latencies, 50),
            latency_p99_s=percentile(latencies, 99),
            certaindex=mean(certain) if certain else None,
            measured=mean([o.measured for o in found]),
            stops=dict(Counter(o.stop for o in found).most_common()),
            against=None if base is None else self.difference(row.name, base),
            thinking_ratio=None if base is None else self.ratio(row.name, base, "thinking_tokens"),
        )

    def _measured(self, expectation: Expectation) -> Interval | None:
        row, than, metric = expectation.row, expectation.than, expectation.metric
        if than == MAJORITY_AT_EQUAL_TOKENS:
            beside = self.equal_tokens(row)
            return None if beside is None else beside.difference
        if metric == "accuracy":
            return self.difference(row, than)
        return self.ratio(row, than, metric)

    def _pairs(self, row: str, than: str) -> list[tuple[Outcome, Outcome]]:
        mine, base = self._of.get(row, {}), self._of.get(than, {})
        return [(mine[problem], base[problem]) for problem in sorted(mine) if problem in base]


def _tokens(outcome: Outcome, which: Tokens) -> float | None:
    return outcome.spent if which == "tokens" else outcome.thinking
