"""One problem under one policy, and what many of them add up to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from cluster.bench.stats import (
    Interval,
    difference_of_means,
    markdown_table,
    mean,
    paired_bootstrap,
    percentile,
    ratio,
    ratio_of_sums,
)


@dataclass(frozen=True, slots=True)
class Trial:
    """A problem that was answered.

    Attributes:
        tokens: generated, including discarded chains and probes.
        branches: chains that ran.
        latency_s: as the client saw it.
        certaindex: when the program ended, in [0, 1].
    """

    problem: int
    level: int
    policy: str
    answer: str | None
    correct: bool
    tokens: int
    branches: int
    latency_s: float
    certaindex: float
    stop: str


class Comparison:
    """The trials of several policies on the same problems; the first policy is the baseline.

    Only problems that every policy answered count, so that all are compared on the same ones;
    how many those are is reported.
    """

    def __init__(self, policies: Sequence[str], trials: Sequence[Trial], seed: int) -> None:
        self.policies = tuple(policies)
        by_policy = {name: {t.problem: t for t in trials if t.policy == name} for name in policies}
        common = set.intersection(*(set(found) for found in by_policy.values()))
        self.problems = sorted(common)
        self._trials = {
            name: [found[problem] for problem in self.problems] for name, found in by_policy.items()
        }
        self._seed = seed

    def accuracy_difference(self, policy: str) -> Interval:
        """Accuracy of a policy less that of the baseline, in percentage points."""
        mine, base = (
            [100.0 * trial.correct for trial in self._trials[name]]
            for name in (policy, self.policies[0])
        )
        return paired_bootstrap(mine, base, difference_of_means, self._seed)

    def token_ratio(self, policy: str) -> Interval:
        """Tokens of a policy over those of the baseline."""
        mine, base = (
            [float(trial.tokens) for trial in self._trials[name]]
            for name in (policy, self.policies[0])
        )
        return paired_bootstrap(mine, base, ratio_of_sums, self._seed)

    def report(self) -> str:
        """All tables, as markdown."""
        parts = [f"{len(self.problems)} problems answered under every policy.", self._overview()]
        baseline, *others = self.policies
        for name in others if self.problems else ():
            accuracy = self.accuracy_difference(name).show("+.1f")
            tokens = self.token_ratio(name).show(".3f")
            parts.append(
                f"`{name}` against `{baseline}`, paired bootstrap: accuracy {accuracy} points, "
                f"tokens times {tokens}."
            )
        return "\n\n".join([*parts, self._by_level()])

    def document(self) -> dict[str, Any]:
        """The figures behind the tables, as JSON."""
        return {
            name: {
                "accuracy": mean([trial.correct for trial in trials]),
                "tokens": sum(trial.tokens for trial in trials),
                "accuracy_difference_points": self.accuracy_difference(name)._asdict(),
                "token_ratio": self.token_ratio(name)._asdict(),
                "mean_branches": mean([trial.branches for trial in trials]),
                "latency_p50_s": percentile([trial.latency_s for trial in trials], 50),
                "latency_p99_s": percentile([trial.latency_s for trial in trials], 99),
                "mean_certaindex": mean([trial.certaindex for trial in trials]),
            }
            for name, trials in self._trials.items()
        }

    def _overview(self) -> str:
        base = sum(trial.tokens for trial in self._trials[self.policies[0]])
        header = (
            "policy", "accuracy", "total tokens", f"tokens / {self.policies[0]}", "mean branches",
            "p50 latency", "p99 latency", "mean certaindex at stop",
        )  # fmt: skip
        return markdown_table(
            header, [self._row(name, trials, base) for name, trials in self._trials.items()]
        )

    def _row(self, name: str, trials: list[Trial], base: int) -> list[str]:
        tokens = sum(trial.tokens for trial in trials)
        latencies = [trial.latency_s for trial in trials]
        return [
            name,
            f"{mean([trial.correct for trial in trials]):.1%}",
            f"{tokens:,}",
            f"{ratio(tokens, base):.3f}",
            f"{mean([trial.branches for trial in trials]):.1f}",
            f"{percentile(latencies, 50):.2f} s",
            f"{percentile(latencies, 99):.2f} s",
            f"{mean([trial.certaindex for trial in trials]):.3f}",
        ]

    def _by_level(self) -> str:
        baseline, *others = self.policies
        header = ["level", "problems", *(f"accuracy {name}" for name in self.policies)]
        header += [f"tokens {name} / {baseline}" for name in others]
        rows = []
        for level in sorted({trial.level for trial in self._trials[baseline]}):
            of = {
                name: [trial for trial in trials if trial.level == level]
                for name, trials in self._trials.items()
            }
            tokens = {name: sum(t.tokens for t in trials) for name, trials in of.items()}
            row = [str(level), str(len(of[baseline]))]
            row += [f"{mean([t.correct for t in of[name]]):.1%}" for name in self.policies]
            row += [f"{ratio(tokens[name], tokens[baseline]):.3f}" for name in others]
            rows.append(row)
        return markdown_table(header, rows)


def as_documents(items: Sequence[Any]) -> list[dict[str, Any]]:
    """Dataclass objects as JSON objects."""
    return [asdict(item) for item in items]
