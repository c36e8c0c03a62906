"""`dynasor bench compare`: what changed between two reports of a benchmark, beyond noise."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from cluster.bench.reports.changes import Change
    from cluster.bench.reports.document import Document

HEADLINES = {
    "versions": "VERSION CHANGED",
    "machine": "other machine",
    "settings": "other settings",
}
UNCLEAR = (
    "unclear: it differs, but has neither repeats nor an interval, so that its noise is not known; "
    "or it is not a number, or not of the same unit."
)
NO_REGRESSION, REGRESSION, WRONG_USE = 0, 1, 2


class Circumstances(NamedTuple):
    """What differs besides the measures: name to what it was and is, None where it wasn't."""

    versions: dict[str, tuple[Any, Any]]
    machine: dict[str, tuple[Any, Any]]
    settings: dict[str, tuple[Any, Any]]


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "compare",
        help="what changed between two reports, beyond noise",
        description="Compare two reports of the same benchmark, measure by measure. Noise is what "
        "repeats vary by, where there are at least two on both sides, else what the intervals "
        "say; corrected for the number of measures. Exit status: 0: nothing got worse; 1: "
        "something did, beyond noise; 2: these can't be compared.",
    )
    parser.add_argument("before", type=Path, metavar="A", help="report.json, or its directory")
    parser.add_argument("after", type=Path, metavar="B", help="the same, of what is compared to A")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what changed; returns 0, 1 (something got worse) or 2 (not to be compared)."""
    from cluster.bench.reports.changes import changes
    from cluster.bench.reports.report import read_report

    try:
        before, after = (read_report(path) for path in (args.before, args.after))
    except ValueError as error:
        return _refused(str(error))
    if before.bench != after.bench:
        return _refused(
            f"reports of different benchmarks: {args.before} is of {before.bench!r}, "
            f"{args.after} of {after.bench!r}"
        )
    found = changes(before, after)
    if args.json:
        print(json.dumps(as_json(before, after, found)))
    else:
        print(as_text(before, after, found))
    return REGRESSION if any(one.verdict == "worse" for one in found) else NO_REGRESSION


def circumstances(before: Document, after: Document) -> Circumstances:
    """What differs in versions, machine (how busy it was left out) and settings."""
    from cluster.bench.reports.environment import LOAD
    from cluster.bench.reports.tables import flat

    machines = ({k: v for k, v in one.machine.items() if k != LOAD} for one in (before, after))
    settings = (flat({**one.settings, "seeds": list(one.seeds)}) for one in (before, after))
    return Circumstances(
        _differing(before.versions, after.versions),
        _differing(*machines),
        _differing(*settings),
    )


def only_in(document: Document, other: Document) -> list[str]:
    """Names of measures that the other one has not."""
    there = {measure.name for measure in other.measures}
    return [measure.name for measure in document.measures if measure.name not in there]


def as_json(before: Document, after: Document, found: Sequence[Change]) -> dict[str, Any]:
    """Everything; what is not a number is null."""
    differing = {
        part: {name: list(pair) for name, pair in items.items()}
        for part, items in circumstances(before, after)._asdict().items()
    }
    shown = {
        "bench": before.bench,
        **differing,
        "only_before": only_in(before, after),
        "only_after": only_in(after, before),
        "changes": [{**asdict(one), "difference": one.difference._asdict()} for one in found],
    }
    cleaned: dict[str, Any] = _without_nan(shown)
    return cleaned


def as_text(before: Document, after: Document, found: Sequence[Change]) -> str:
    """Headlines, what changed beyond noise, what can't be told; the rest only as a number."""
    from cluster.bench.stats import markdown_table

    lines = [f"# {before.bench}: {before.started} against {after.started}", ""]
    for part, items in circumstances(before, after)._asdict().items():
        lines += [
            f"{HEADLINES[part]}: {name}: {was} -> {now}" for name, (was, now) in items.items()
        ]
    shown = [one for one in found if one.verdict != "no change"]
    if shown:
        header = ("measure", "before", "after", "difference (95%)", "ratio", "p", "verdict")
        lines += ["", markdown_table(header, [_row(one) for one in shown])]
    same = len(found) - len(shown)
    if any(one.verdict == "unclear" for one in shown):
        lines += ["", UNCLEAR]
    lines += ["", f"{same} of {len(found)} measures: no change beyond noise."]
    for names, where in ((only_in(before, after), "first"), (only_in(after, before), "second")):
        if names:
            lines.append(f"Only in the {where} report: {', '.join(names)}.")
    return "\n".join(lines)


def _row(one: Change) -> list[str]:
    value, low, high = one.difference
    interval = f" ({low:+.3g} to {high:+.3g})" if low != high else ""
    return [
        one.name,
        f"{one.before:.4g} {one.unit}".strip(),
        f"{one.after:.4g} {one.unit}".strip(),
        f"{value:+.3g}{interval}",
        f"{one.ratio:.3f}",
        f"{one.p:.2g}",
        one.verdict,
    ]


def _differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names: Iterable[str] = dict.fromkeys([*before, *after])
    pairs = {name: (before.get(name), after.get(name)) for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def _refused(reason: str) -> int:
    print(f"dynasor: {reason}", file=sys.stderr)
    return WRONG_USE
