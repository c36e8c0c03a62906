"""`dynasor status`: what a running cluster does now."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from cluster.cli.client import add_url, connect, raise_for_error
from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from rich.table import Table

TIMEOUT_S = 10.0


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "status",
        help="what a running cluster does now",
        description="Show what a running cluster does now: its engines, programs and queue, the "
        "price of a token, tenants, and how accuracy contracts are kept.",
    )
    add_url(parser)
    parser.add_argument(
        "--json", action="store_true", help="print all numbers as one JSON object: /v1/cluster"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Show it; returns 0. Raises CliError: the server can't be reached or does not say."""
    with connect(args.url, TIMEOUT_S) as client:
        response = client.get("/v1/cluster")
    raise_for_error(response)
    try:
        document = response.json()
        lines = list(summary(document))
    except (ValueError, LookupError, TypeError, AttributeError):
        raise CliError(f"{args.url} does not say how it is; is it the right server?") from None
    if args.json:
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    for line in lines:
        print(line)
    _print_tables(document)
    return 0


def summary(cluster: Mapping[str, Any]) -> Iterator[str]:
    """The numbers of a `/v1/cluster` document, but for its tables, a line for each subject."""
    best, achieved = cluster["prefix_best"], cluster["prefix_achieved"]
    found = f"{achieved / best:.1%} of the best possible" if best else "nothing to find yet"
    lines = {
        "engines": f"{cluster['replicas']} generate, {cluster['scorers']} judge",
        "programs": f"{cluster['programs']} in progress",
        "branches": f"{cluster['running']} run, {cluster['waiting']} wait; "
        f"a new program's would wait {cluster['wait_s']:.1f} s",
        "tokens": f"{cluster['token_rate']:,.0f} per second; {cluster['granted']:,} granted, "
        f"{cluster['used']:,} used, {cluster['returned']:,} returned",
        "price": f"{cluster['price']:.3g} (gain that a token must buy)",
        "learned": f"{cluster['explored']:,} programs run to their cap",
        "placed": f"{cluster['placements']:,} branches, {cluster['moves']:,} moved, "
        f"{cluster['preempted']:,} preempted by engines",
        "prefixes": f"{achieved:,} prompt tokens found in caches, {found}",
    }
    for subject, said in lines.items():
        yield f"{subject:<10}{said}"


def _print_tables(cluster: Mapping[str, Any]) -> None:
    from rich.console import Console

    # To a pipe, as wide as it takes: nobody wants names that are cut off there.
    console = Console(file=sys.stdout, highlight=False, width=None if sys.stdout.isatty() else 200)
    for name in ("tenants", "contracts"):
        if cluster[name]:
            console.print()
            console.print(table(name.removesuffix("s"), cluster[name]))


def table(kind: str, rows: Mapping[str, Mapping[str, Any]]) -> Table:
    """Rows by name, with a column for each number they have."""
    from rich.table import Table
    from rich.text import Text

    from cluster.cli.views import clean

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column(kind)
    columns = list(dict.fromkeys(column for row in rows.values() for column in row))
    for column in columns:
        drawn.add_column(column, justify="right")
    for name, row in sorted(rows.items()):
        # Names come from whoever asked: no markup, and nothing that a terminal would obey.
        drawn.add_row(Text(clean(name)), *(_number(row[column]) for column in columns))
    return drawn


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
