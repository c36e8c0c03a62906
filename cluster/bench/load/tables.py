"""The results of a load test, to be read."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.bench.load.figures import Against, Figures
from cluster.bench.load.measure import Alone
from cluster.bench.stats import Interval, markdown_table

BUSY_CPU = 0.7
"""Share of a core above which the client may be the bottleneck."""

BUSY_LAG_S = 0.05
"""How late it may send, at the 99th percentile."""

LEGEND = (
    "Rates are multiples of the capacity. Shares are of all queries that arrived; lost: given up "
    "after the client's limit, or failed. Tokens per answered query, everything counted. Latency "
    "counts from the arrival; with lost ones as long as the limit, without refused ones. "
    "Slowdown: time taken over time alone, which is finish-time fairness; Jain's index is that of "
    "its inverse. Intervals are 95%."
)


def overview(found: Sequence[Figures]) -> str:
    """One row per rate and policy, as markdown."""
    header = (
        "rate, policy", "queries", "right", "of answered", "tokens", "P50 s", "P90 s", "P99 s",
        "in time", "right in time", "refused", "lost", "max slowdown", "P99 slowdown", "Jain",
    )  # fmt: skip
    return markdown_table(header, [_row(item) for item in found])


def comparison(found: Sequence[Against], baseline: str) -> str:
    """Every policy against the first one, as markdown; empty where there is nothing to compare."""
    if not found:
        return ""
    header = ("rate, policy", "right, points", "tokens, times", "in time, points")
    rows = [
        [
            f"{item.rate:g} {item.policy}",
            _range(item.accuracy, "+.1f"),
            _range(item.tokens, ".3f"),
            _range(item.in_time, "+.1f"),
        ]
        for item in found
    ]
    title = f"Against `{baseline}` on the same arrivals, paired bootstrap:"
    return f"{title}\n\n{markdown_table(header, rows)}"


def alone_table(alone: Alone) -> str:
    """Seconds of each kind and level in an empty cluster, as markdown."""
    kinds = list(dict.fromkeys(kind for kind, _ in alone))
    levels = sorted({level for _, level in alone})
    rows = [[kind, *(f"{alone[kind, level]:.2f}" for level in levels)] for kind in kinds]
    return markdown_table(["alone, s, by level", *map(str, levels)], rows)


def client_report(found: Sequence[Figures]) -> str:
    """Whether the client kept up."""
    cpu = max((item.client_cpu for item in found), default=0.0)
    lag_s = max((item.lag_p99_s for item in found), default=0.0)
    busy = [
        f"{item.rate:g} {item.policy}"
        for item in found
        if item.client_cpu > BUSY_CPU or item.lag_p99_s > BUSY_LAG_S
    ]
    text = f"The client took at most {cpu:.0%} of a core, and sent {1000 * lag_s:.0f} ms late (P99)"
    return f"{text}: TOO BUSY at {', '.join(busy)}." if busy else f"{text}."


def _row(item: Figures) -> list[str]:
    return [
        f"{item.rate:g} {item.policy}",
        str(item.queries),
        _range(item.accuracy, ".1%"),
        f"{item.accuracy_answered.value:.1%}",
        _range(item.tokens, ".0f"),
        f"{item.p50_s:.2f}",
        f"{item.p90_s:.2f}",
        _range(item.p99_s, ".2f"),
        _range(item.in_time, ".1%"),
        f"{item.right_in_time.value:.1%}",
        f"{item.refused:.1%}",
        f"{item.lost:.1%}",
        f"{item.unfairness_max:.1f}",
        f"{item.unfairness_p99:.1f}",
        f"{item.jain:.3f}",
    ]


def _range(interval: Interval, pattern: str) -> str:
    value, low, high = (format(number, pattern) for number in interval)
    return f"{value} ({low} to {high})"
