"""`dynasor replay`: what a policy would have spent on recorded samples, and what it would have
answered."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cluster.cli.errors import CliError

if TYPE_CHECKING:
    from dynasor.policies import Policy
    from dynasor.replay.recording import Question
    from dynasor.replay.study import Row, Terms, Trial

SEEDS = 20
COLUMNS = "{:<24} {:>9} {:>7} {:>8} {:>15} {:>9} {:>8} {:>7}"
HEADER = ("file", "questions", "full", "policy", "points lost", "disagree", "tokens", "rounds")


class Task(NamedTuple):
    """One file under one seed; all that another process needs."""

    path: Path
    policy: str
    params: dict[str, Any]
    terms: Terms
    seed: int


def add_parser(commands: Any) -> None:
    """Add the command to the parser's subcommands."""
    parser = commands.add_parser(
        "replay",
        help="try a policy on recorded samples",
        description="Run self-consistency under a policy on recorded samples, without a cluster. "
        "Every question's samples are the branches, in random orders; its cap is their number. A "
        "policy that learns learns on one half of the questions and is run on the other, both "
        "ways. Compared are the answer and the tokens with those of all samples. All samples "
        "that were started are paid in full.",
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="*.jsonl or *.jsonl.gz, see traces/"
    )
    parser.add_argument("--policy", default="value", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--params",
        type=_object,
        default={},
        metavar="JSON",
        help="the policy's parameters, such as '{\"confidence\": 0.9}'",
    )
    parser.add_argument(
        "--max-disagreement",
        type=_share,
        metavar="E",
        help="accuracy contract: the share of answers that may differ from the full budget's",
    )
    parser.add_argument(
        "--seeds",
        type=_positive,
        default=SEEDS,
        metavar="N",
        help="random orders of every question's samples (default: %(default)s)",
    )
    parser.add_argument(
        "--price",
        type=_amount,
        default=0.0,
        metavar="P",
        help="improvement of the answer that a token must buy (default: 0, compute is free)",
    )
    parser.add_argument(
        "--room",
        type=_positive,
        default=1,
        metavar="N",
        help="branches that may start at once without making others wait: above 1, a policy may "
        "start more than is sure to be needed, to be done in fewer rounds (default: 1)",
    )
    parser.add_argument("--jobs", type=_positive, default=1, metavar="N", help="processes")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object a file and nothing else"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay all files; returns 0. Raises CliError for a file, policy or parameter it can't use."""
    from dynasor.replay.study import Terms, geometric_mean

    terms = Terms(args.max_disagreement, args.price, args.room)
    _policy(args.policy, args.params)
    for path in args.files:
        _read(path)
    if not args.json:
        print(COLUMNS.format(*HEADER), flush=True)
    rows = []
    for path in args.files:
        tasks = [Task(path, args.policy, args.params, terms, seed) for seed in range(args.seeds)]
        rows.append(_replayed(tasks, args.jobs))
        _show(path, rows[-1], args)
    if len(rows) > 1 and not args.json:
        mean = geometric_mean([row.tokens_ratio for row in rows])
        print(f"tokens relative to all samples, geometric mean over files: {mean:.3f}")
    return 0


def _replayed(tasks: Sequence[Task], jobs: int) -> Row:
    from dynasor.replay.study import summarized

    trials: list[Trial] = []
    if jobs == 1:
        for task in tasks:
            trials += _trials(task)
            _progress(task)
    else:
        with ProcessPoolExecutor(jobs) as pool:
            for task, some in zip(tasks, pool.map(_trials, tasks), strict=True):
                trials += some
                _progress(task)
    _progress(None)
    return summarized(trials, len(tasks))


def _trials(task: Task) -> list[Trial]:
    from dynasor.replay.study import replay

    return replay(_read(task.path), _policy(task.policy, task.params), task.seed, task.terms)


def _read(path: Path) -> list[Question]:
    from cluster.workload.files import read_recording

    try:
        return read_recording(path)
    except ValueError as error:
        raise CliError(str(error)) from None


def _policy(name: str, params: dict[str, Any]) -> Policy:
    from dynasor.errors import InvalidField
    from dynasor.policies import POLICIES

    try:
        parsed = POLICIES.parse(name, params, "--policy", "--params.")
        return POLICIES.get(name, "--policy")(parsed)
    except InvalidField as error:
        raise CliError(str(error)) from None


def _show(path: Path, row: Row, args: argparse.Namespace) -> None:
    if args.json:
        shown = {"file": path.name, "policy": args.policy, "params": args.params}
        limits = {"max_disagreement": args.max_disagreement, "price": args.price}
        print(json.dumps({**shown, **limits, "room": args.room, **row._asdict()}), flush=True)
        return
    lost = 100 * (row.accuracy_full - row.accuracy)
    cells = (
        path.name.removesuffix(".gz").removesuffix(".jsonl"),
        row.questions,
        f"{100 * row.accuracy_full:.2f}",
        f"{100 * row.accuracy:.2f}",
        f"{lost:+.2f} ± {100 * row.difference_error:.2f}",
        f"{100 * row.disagreement:.2f}%",
        f"{row.tokens_ratio:.3f}",
        f"{row.rounds:.1f}",
    )
    print(COLUMNS.format(*cells), flush=True)


def _progress(task: Task | None) -> None:
    """A line that is written over; where nobody looks on there is none."""
    if sys.stderr.isatty():
        text = "" if task is None else f"{task.path.name}: seed {task.seed}"
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be a JSON object: {error}") from None
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError(f"must be a JSON object, got {text!r}")
    return value


def _number(text: str, kind: Callable[[str], float], wanted: str) -> float:
    try:
        value = kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}") from None
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be {wanted}, got {text!r}")
    return value


def _share(text: str) -> float:
    value = _number(text, float, "a number from 0 to 1")
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a number from 0 to 1, got {text!r}")
    return value


def _amount(text: str) -> float:
    value = _number(text, float, "a number of at least 0")
    if value < 0:
        raise argparse.ArgumentTypeError(f"must be a number of at least 0, got {text!r}")
    return value


def _positive(text: str) -> int:
    value = int(_number(text, int, "a whole number of at least 1"))
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, got {text!r}")
    return value
