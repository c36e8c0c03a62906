"""What became of a simulation's queries, however many: counts, times, and some of them in full."""

from __future__ import annotations

from array import array
from collections import Counter

from cluster.bench.stats import percentile
from cluster.workload.served import Served


class Tally:
    """Counts queries as they end.

    Attributes:
        outcomes: how many ended how.
        stops: why those that were answered ended.
        latencies_s: of those that were answered; 8 bytes each.
        kept: every query; of more than that may be kept, those whose number is a multiple of
            ``stride``.
    """

    def __init__(self, keep: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.stops: Counter[str] = Counter()
        self.latencies_s = array("d")
        self.kept: list[Served] = []
        self.stride = 1
        self.correct = self.tokens = self.branches = self.in_time = self.with_deadline = 0
        self.last_s = 0.0
        self._keep = keep

    @property
    def number(self) -> int:
        """Queries that have ended."""
        return self.outcomes.total()

    @property
    def accuracy(self) -> float:
        """Share of all queries, refused ones included, that were answered right; 0 of none."""
        return self.correct / max(1, self.number)

    @property
    def tokens_per_query(self) -> float:
        """Of those that were answered."""
        return self.tokens / max(1, self.outcomes["answered"])

    def latency_s(self, q: float) -> float:
        """The q-th percentile of the latencies, q in [0, 100]."""
        return percentile(self.latencies_s, q)

    def add(self, served: Served) -> None:
        """A query has ended."""
        self.outcomes[served.outcome] += 1
        self.last_s = max(self.last_s, served.at_s + served.latency_s)
        self.with_deadline += served.deadline_s is not None
        self.in_time += served.in_time
        if served.answered:
            self.stops[served.stop] += 1
            self.latencies_s.append(served.latency_s)
            self.correct += served.correct
            self.tokens += served.tokens
            self.branches += served.branches
        if served.number % self.stride == 0:
            self.kept.append(served)
        while len(self.kept) > self._keep:
            self.stride *= 2
            self.kept = [one for one in self.kept if one.number % self.stride == 0]
