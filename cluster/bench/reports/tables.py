"""Figures as markdown tables, to be read in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cluster.bench.reports.document import Measure
from cluster.bench.reports.figures import Against, Figures
from cluster.bench.stats import Interval, markdown_table

LEGEND = (
    "Shares are of all queries that arrived; lost: given up after the client's limit, or failed. "
    "Tokens per answered query, everything counted. Latency counts from the arrival; with lost "
    "ones as long as the limit, without refused ones. Slowdown: time taken over time alone, which "
    "is finish-time fairness; Jain's index is that of its inverse. Intervals are 95%."
)

HEADER = (
    "system, load", "queries", "right", "of answered", "tokens", "P50 s", "P90 s", "P99 s",
    "in time", "right in time", "queries/s", "refused", "lost", "max slowdown", "P99 slowdown",
    "Jain",
)  # fmt: skip


def cells(item: Figures) -> list[str]:
    """One row under `HEADER`."""
    return [
        item.label,
        str(item.queries),
        spread(item.accuracy, ".1%"),
        number(item.accuracy_answered.value, ".1%"),
        spread(item.tokens, ".0f"),
        number(item.p50_s.value, ".2f"),
        number(item.p90_s.value, ".2f"),
        spread(item.p99_s, ".2f"),
        spread(item.in_time, ".1%"),
        number(item.right_in_time.value, ".1%"),
        number(item.throughput.value, ".2f"),
        number(item.refused.value, ".1%"),
        number(item.lost.value, ".1%"),
        number(item.unfairness_max, ".1f"),
        number(item.unfairness_p99, ".1f"),
        number(item.jain, ".3f"),
    ]


def overview(found: Sequence[Figures]) -> str:
    """One row per system and load, as markdown."""
    return markdown_table(HEADER, [cells(item) for item in found])


def comparison(found: Sequence[Against], baseline: str) -> str:
    """Every system against the baseline, as markdown; empty where there is nothing to compare."""
    if not found:
        return ""
    header = ("system, load", "right, points", "tokens, times", "in time, points")
    rows = [
        [
            ", ".join([item.system, *(f"{name} {value:g}" for name, value in item.load)]),
            spread(_points(item.accuracy), "+.1f"),
            spread(item.tokens, ".3f"),
            spread(_points(item.in_time), "+.1f"),
        ]
        for item in found
    ]
    title = f"Against `{baseline}` on the same queries, paired bootstrap:"
    return f"{title}\n\n{markdown_table(header, rows)}"


def measure_table(measures: Sequence[Measure]) -> str:
    """Measures with intervals and goals, as markdown."""
    header = ("measure", "value", "95%", "unit", "goal")
    rows = [
        [one.name, f"{one.value:.4g}", f"{one.low:.4g} to {one.high:.4g}", one.unit, goal(one)]
        for one in measures
    ]
    return markdown_table(header, rows)


def goal(measure: Measure) -> str:
    """The goal and whether it is met; empty: there is none."""
    if measure.goal is None or measure.met is None:
        return ""
    sign = "≥" if measure.better == "higher" else "≤"
    return f"{sign} {measure.goal:.4g}, {'met' if measure.met else 'missed'}"


def number(value: float, pattern: str) -> str:
    """A number by a format such as ``.1f``; of nothing, a dash."""
    return format(value, pattern) if value == value else "-"


def spread(interval: Interval, pattern: str) -> str:
    """``value (low to high)``; of nothing, a dash."""
    if interval.value != interval.value:
        return "-"
    value, low, high = (format(number, pattern) for number in interval)
    return f"{value} ({low} to {high})"


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings with dots between the names."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _points(share: Interval) -> Interval:
    return Interval(*(100 * value for value in share))
