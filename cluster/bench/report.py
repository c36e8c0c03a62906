"""How a comparison of algorithms is printed."""

from __future__ import annotations

from collections.abc import Sequence

from cluster.bench.results import Check, Figures, Results
from cluster.bench.rows import Expectation, Row
from cluster.bench.stats import Interval, markdown_table

NONE = "-"


def tables(results: Results) -> str:
    """All rows, then the long chains beside their baselines, as markdown."""
    figures = [(row, results.figures[row.name]) for row in results.rows]
    parts = [_overview(figures, results.majority)]
    long_chains = [(row, found) for row, found in figures if found.against is not None]
    if long_chains:
        parts.append(_long_chains(long_chains))
    return "\n\n".join(parts)


def statements(checks: Sequence[Check]) -> str:
    """A line for each expectation: whether it is met, with the figures."""
    lines = [f"- {_promise(check.expectation)}: {_verdict(check)}" for check in checks]
    return "\n".join(["Expected:", *lines])


def _overview(figures: list[tuple[Row, Figures]], majority: str) -> str:
    header = (
        "row", "accuracy", "tokens", "probe", "score", "cut off", f"tokens / {majority}",
        "majority at equal tokens", "difference, points", "p50 latency", "p99 latency",
        "certaindex", "units", "stop", "failed",
    )  # fmt: skip
    table = markdown_table(header, [_row(row, found) for row, found in figures])
    return (
        f"{table}\n\n"
        "Tokens are means per problem: all that were generated and all that reward models read; of "
        "these, probes, what reward models read, and what was generated for chains that were cut "
        f"off. Majority at equal tokens: the vote of as many chains of {majority}, drawn at "
        "random, as take the same tokens, interpolated; * more tokens than all of them take, so "
        "the vote of all. In brackets 95% intervals, of differences and ratios over problems."
    )


def _row(row: Row, found: Figures) -> list[str]:
    beside = found.equal_tokens
    if not found.problems:
        return [row.name, *[NONE] * 13, str(found.failures)]
    return [
        row.name,
        _interval(found.accuracy, ".1%"),
        *(f"{number:,.0f}" for number in (found.tokens, found.probe, found.score)),
        f"{found.discarded:,.0f}",
        _interval(found.token_ratio, ".2f"),
        NONE if beside is None else f"{beside.majority:.1%}{'*' if beside.beyond else ''}",
        NONE if beside is None else _interval(beside.difference, "+.1f"),
        f"{found.latency_p50_s:.2f} s",
        f"{found.latency_p99_s:.2f} s",
        NONE if found.certaindex is None else f"{found.certaindex:.2f}",
        f"{found.measured:.1f}",
        ", ".join(f"{stop} {count}" for stop, count in found.stops.items()) or NONE,
        str(found.failures),
    ]


def _long_chains(figures: list[tuple[Row, Figures]]) -> str:
    header = (
        "long chain", "baseline", "accuracy, points", "thinking tokens", "thinking / baseline",
    )  # fmt: skip
    rows = [
        [
            row.name,
            row.baseline or NONE,
            _interval(found.against, "+.1f"),
            f"{found.thinking:,.0f}",
            _interval(found.thinking_ratio, ".2f"),
        ]
        for row, found in figures
    ]
    return (
        f"{markdown_table(header, rows)}\n\n"
        "Thinking tokens are all that were generated, probes too, but for the shown answer."
    )


def _promise(expectation: Expectation) -> str:
    kind, bound = expectation.bound
    row, than = expectation.row, expectation.than
    if expectation.metric == "accuracy":
        return f"accuracy of {row} less that of {than} {kind} {bound:+g} points"
    metric = expectation.metric.replace("_", " ")
    return f"{metric} of {row} {kind} {bound:g} times those of {than}"


def _verdict(check: Check) -> str:
    if check.value is None:
        return "NOT CHECKED, for a row of it gave no results"
    verdict = "met" if check.met else "NOT MET"
    pattern = "+.1f" if check.expectation.metric == "accuracy" else ".3f"
    chance = "" if check.clear else "; the bound lies within the interval"
    return f"{verdict}, {check.value.show(pattern)}{chance}"


def _interval(interval: Interval | None, pattern: str) -> str:
    if interval is None:
        return NONE
    value, low, high = (format(number, pattern) for number in interval)
    return f"{value} ({low} to {high})"
