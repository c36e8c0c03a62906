"""A recording's two files: the questions, and what they were recorded from."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from cluster.record.partial import Session, line
from dynasor.replay.recording import Question

SUFFIX = ".jsonl.gz"


def companion(path: Path) -> Path:
    """The file beside a recording that says where it comes from."""
    return path.with_name(path.name.removesuffix(SUFFIX) + ".json")


def write(path: Path, questions: Sequence[Question], sessions: Sequence[Session]) -> None:
    """Write both; equal questions give equal bytes of the recording. Raises OSError."""
    buffer = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, buffer, mtime=0) as file:
        for question in questions:
            file.write(line(question) + b"\n")
    about = msgspec.json.encode(description(questions, sessions))
    _replace(companion(path), msgspec.json.format(about, indent=2) + b"\n")
    _replace(path, buffer.getvalue())


def description(questions: Sequence[Question], sessions: Sequence[Session]) -> dict[str, Any]:
    """Where a recording comes from, and what is in it. The environment is that of the first run of
    the command; of later ones, what differs in it is told."""
    first = sessions[0]
    runs = [
        {**_differing(session.environment, first.environment), "questions": session.questions}
        for session in sessions
    ]
    return {
        **first.environment,
        "settings": first.settings,
        "runs": runs,
        "totals": totals(questions),
    }


def totals(questions: Sequence[Question]) -> dict[str, int]:
    """Numbers of what was recorded, and the tokens of all of it."""
    chains = [chain for question in questions for chain in question.chains]
    probes = [probe for chain in chains for probe in chain.probes]
    steps = [step for question in questions for step in question.steps]
    return {
        "questions": len(questions),
        "samples": sum(len(question.samples) for question in questions),
        "chains": len(chains),
        "probes": len(probes),
        "steps": len(steps),
        "tokens of samples": sum(question.tokens for question in questions),
        "tokens of chains": sum(chain.tokens for chain in chains),
        "tokens of probes": sum(probe.tokens for probe in probes),
        "tokens of steps": sum(step.tokens for step in steps),
    }


def _differing(some: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """What of the one is not in the other, also within what both have."""
    found: dict[str, Any] = {}
    for name, value in some.items():
        other = others.get(name)
        if isinstance(value, dict) and isinstance(other, dict):
            if within := _differing(value, other):
                found[name] = within
        elif value != other:
            found[name] = value
    return found


def _replace(path: Path, data: bytes) -> None:
    # Never half of it, whenever this is cut off.
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    os.replace(fresh, path)
