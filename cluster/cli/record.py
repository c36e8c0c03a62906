"""`dynasor record`: questions with samples, long chains and search trees."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cluster.cli.client import add_url
from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from cluster.record.plan import Plan
    from dynasor.replay.recording import Question

MAX_LEVEL = 64
MAX_PROBLEMS = 10_000


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "record",
        help="record a workload from a running cluster",
        description="Ask a running cluster each question many times, think about it at length, "
        "search a tree, and write down answers, tokens, confidences and rewards; no texts. "
        "A recording that was interrupted goes on where it was when the same command is given "
        "again. Format: traces/README.md.",
    )
    add_url(parser)
    parser.add_argument(
        "--model", default="", metavar="NAME", help="default: the first that is served"
    )
    parser.add_argument(
        "--out", type=_out, required=True, metavar="FILE", help="*.jsonl.gz; a *.json comes with it"
    )
    _add_questions(parser.add_argument_group("questions"))
    _add_recorded(parser.add_argument_group("what is recorded of each"))
    parser.add_argument(
        "--clients",
        type=_whole(1, 1024),
        default=8,
        metavar="N",
        help="questions under way at a time (default: %(default)s)",
    )
    parser.set_defaults(run=run)


def _add_questions(group: Any) -> None:
    group.add_argument(
        "--levels",
        type=_levels,
        default="1-10",
        metavar="LEVELS",
        help="problems of abacus of these levels, such as 1-8 or 1-8:60,9-12:30, where a number "
        "after a colon is used in place of --problems (default: %(default)s)",
    )
    group.add_argument(
        "--problems",
        type=_whole(1, MAX_PROBLEMS),
        default=50,
        metavar="N",
        help="problems of each level (default: %(default)s)",
    )
    group.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the problems (default: %(default)s)"
    )
    group.add_argument(
        "--questions",
        type=Path,
        metavar="FILE",
        help="instead of problems of abacus: a recording, or *.jsonl with prompt and gold",
    )


def _add_recorded(group: Any) -> None:
    from cluster.record.plan import MAX_SAMPLES, SEARCHES

    group.add_argument(
        "--samples",
        type=_whole(1, MAX_SAMPLES),
        default=64,
        metavar="N",
        help="independent chains; judged where the cluster has a reward model (default: "
        "%(default)s)",
    )
    group.add_argument(
        "--chains",
        type=_whole(0, 64),
        default=4,
        metavar="N",
        help="long chains, asked for their answer wherever a thought ends (default: %(default)s)",
    )
    group.add_argument(
        "--trees",
        type=int,
        choices=(0, 1),
        help="search trees (default: 1 where the cluster has a reward model)",
    )
    group.add_argument(
        "--search",
        choices=SEARCHES,
        default=SEARCHES[0],
        help="how a tree is searched (default: %(default)s)",
    )
    group.add_argument(
        "--width",
        type=_whole(1, 256),
        default=16,
        metavar="N",
        help="of a tree (default: %(default)s)",
    )
    group.add_argument(
        "--system",
        metavar="TEXT",
        help="system message of long chains (default: for problems of abacus, the one that makes "
        "it think hard; else none)",
    )
    group.add_argument(
        "--temperature", type=float, default=1.0, metavar="T", help="default: %(default)s"
    )
    group.add_argument(
        "--max-tokens",
        type=_whole(1, 1_000_000),
        metavar="N",
        help="of one chain (default: what the context leaves)",
    )


def run(args: argparse.Namespace) -> int:
    """Record; returns 0. Raises CliError: the cluster, a file or a question can't be used."""
    import asyncio

    from cluster.bench.client import RequestFailed
    from cluster.record.output import companion, write
    from cluster.record.partial import Partial
    from cluster.record.session import record

    if args.out.exists():
        raise CliError(f"{args.out} exists; give another --out, or delete it to record anew")
    try:
        questions = _questions(args)
        partial = Partial(args.out.with_name(args.out.name + ".part"))
        asyncio.run(record(args.url, _plan(args), questions, partial, args.clients))
        write(args.out, [partial.done[question.id] for question in questions], partial.sessions)
        partial.path.unlink()
    except (RequestFailed, ValueError) as error:
        raise CliError(str(error)) from None
    except OSError as error:
        raise CliError(f"{error.filename}: {error.strerror}") from None
    print(f"{len(questions)} questions: {args.out}, {companion(args.out)}")
    return 0


def _plan(args: argparse.Namespace) -> Plan:
    from cluster.models.abacus.reasoner import THINK_HARD
    from cluster.record.plan import Plan

    system = args.system
    if system is None and args.questions is None:
        system = THINK_HARD
    return Plan(
        model=args.model,
        samples=args.samples,
        chains=args.chains,
        trees=args.trees,
        search=args.search,
        width=args.width,
        system=system,
        temperature=args.temperature,
        max_tokens=args.max_tokens,
    )


def _questions(args: argparse.Namespace) -> list[Question]:
    from cluster.record.questions import drawn, of_file

    if args.questions is not None:
        return of_file(args.questions)
    counts = {level: count or args.problems for level, count in args.levels.items()}
    return drawn(counts, args.seed)


def _levels(text: str) -> Mapping[int, int | None]:
    """Levels with the numbers of their problems; None: not told."""
    found: dict[int, int | None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?(?::(\d{1,6}))?", part.strip())
        low, high, count = match.groups() if match else (None, None, None)
        first, last = int(low or 0), int(high or low or 0)
        problems = int(count or 1)
        if not 1 <= first <= last <= MAX_LEVEL or not 1 <= problems <= MAX_PROBLEMS:
            raise argparse.ArgumentTypeError(
                f"must be levels from 1 to {MAX_LEVEL} such as 3, 1-8 or 1-8:60,9-12:30, "
                f"got {text!r}"
            )
        found.update(dict.fromkeys(range(first, last + 1), None if count is None else problems))
    return found


def _out(text: str) -> Path:
    from cluster.record.output import SUFFIX

    if not text.endswith(SUFFIX) or Path(text).name == SUFFIX:
        raise argparse.ArgumentTypeError(f"must end in {SUFFIX}, got {text!r}")
    return Path(text)


def _whole(low: int, high: int) -> Any:
    """A parser of whole numbers in a range."""

    def parse(text: str) -> int:
        value = int(text) if re.fullmatch(r"\d{1,9}", text) else -1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"must be a whole number from {low} to {high}, got {text!r}"
            )
        return value

    return parse
