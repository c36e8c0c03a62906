"""Which questions are recorded: drawn problems, or those of a file."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path

import msgspec

from cluster.models.abacus.problems import make_problems
from cluster.workload.files import read_bytes
from dynasor.replay.recording import Question

DATASET = "abacus"


class _Line(msgspec.Struct):
    prompt: str
    gold: str | int | float
    id: str | int = ""
    dataset: str = ""
    level: int = 0


def drawn(counts: Mapping[int, int], seed: int) -> list[Question]:
    """Problems of the bundled model, so many of each level; levels take turns, so that a recording
    that is cut has all of them."""
    placed = [
        (place, level, problem)
        for level, count in counts.items()
        for place, problem in enumerate(make_problems(level, count, seed))
    ]
    return [
        Question(
            samples=(),
            id=f"{DATASET}-{level}-{seed}-{place}",
            dataset=DATASET,
            gold=str(problem.answer),
            prompt=problem.text,
            level=level,
        )
        for place, level, problem in sorted(placed, key=lambda one: one[:2])
    ]


def of_file(path: Path) -> list[Question]:
    """The questions of a recording, or of a file that has no samples yet: `prompt` and `gold` in
    each line. What was recorded of them before is left out.

    Raises:
        ValueError: it can't be read, or a line has no prompt or no gold answer; names the line.
    """
    decoder = msgspec.json.Decoder(_Line, strict=False)
    found = []
    for number, line in enumerate(read_bytes(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            read = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: line {number}: {error}") from None
        if not read.prompt.strip():
            raise ValueError(f"{path}: line {number}: prompt must not be empty")
        found.append(
            Question(
                samples=(),
                id=str(read.id) or str(number),
                dataset=read.dataset,
                gold=str(read.gold),
                prompt=read.prompt,
                level=read.level,
            )
        )
    if not found:
        raise ValueError(f"{path}: there is no question in it")
    names = sorted(question.id for question in found)
    for name, alike in groupby(names):
        if len(list(alike)) > 1:
            raise ValueError(f"{path}: id must be unique, got {name!r} more than once")
    return found
