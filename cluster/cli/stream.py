"""A program's event stream, as `POST /v1/chat/completions` sends it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from cluster.cli.errors import CliError


@dataclass(frozen=True, slots=True)
class BranchLine:
    """How far one branch is. ``state``: waiting, running, or why it ended."""

    branch: int
    state: str
    tokens: int
    answer: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a program is.

    Attributes:
        certaindex: how settled the answer is, in [0, 1].
        votes: answers and the number of chains behind them, most votes first.
        generated: tokens so far, all branches.
    """

    certaindex: float
    votes: tuple[tuple[str, int], ...]
    abstained: int
    branches: tuple[BranchLine, ...]
    generated: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended. ``program``: the server's account of it, as it was sent."""

    program: dict[str, Any]
    reasoning: str
    content: str


def read_events(lines: Iterable[str]) -> Iterator[Progress | Outcome]:
    """Turn the stream's lines into progress and, last, the outcome.

    Raises:
        CliError: the server reports an error, or the stream ends without an outcome.
    """
    reasoning, content = [], []
    program: dict[str, Any] | None = None
    for chunk in _chunks(lines):
        if "error" in chunk:
            raise CliError(error_message(chunk))
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            reasoning.append(delta.get("reasoning") or "")
            content.append(delta.get("content") or "")
            if "program" in chunk and choice.get("finish_reason"):
                program = chunk["program"]
        if "program" in chunk and program is None:
            yield _progress(chunk["program"])
    if program is None:
        raise CliError("the server ended the stream without a result")
    yield Outcome(program, "".join(reasoning), "".join(content))


def error_message(document: Any) -> str:
    """The message in an OpenAI error body; the body itself if it is none."""
    error = document.get("error") if isinstance(document, dict) else None
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        return str(error["message"])
    return json.dumps(document)


def _chunks(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        data = line.removeprefix("data:").strip()
        if not line.startswith("data:") or not data:
            continue
        if data == "[DONE]":
            return
        try:
            chunk = json.loads(data)
        except ValueError:
            raise CliError(f"the server sent what is no JSON: {data[:200]}") from None
        if isinstance(chunk, dict):
            yield chunk


def _progress(program: dict[str, Any]) -> Progress:
    lines = [
        BranchLine(item["branch"], item["state"], item["tokens"], item["answer"])
        for item in program["branches"]
        if item["kind"] != "score"
    ]
    return _state(program, lines, program["generated"])


def votes(program: dict[str, Any]) -> tuple[tuple[str, int], ...]:
    """Answers of a program object and the chains behind them."""
    return tuple((vote["answer"], vote["count"]) for vote in program["votes"])


def final_progress(program: dict[str, Any]) -> Progress:
    """The last state of a program that has ended: its branches that ran."""
    lines = [
        BranchLine(item["branch"], item["finish"] or "waiting", item["tokens"], item["answer"])
        for item in program["branches"]
        if item["kind"] != "score"
        if item["runs"]
    ]
    return _state(program, lines, program["tokens"]["generated"])


def _state(program: dict[str, Any], lines: list[BranchLine], generated: int) -> Progress:
    return Progress(
        certaindex=program["certaindex"],
        votes=votes(program),
        abstained=program.get("abstained", 0),
        branches=tuple(lines),
        generated=generated,
        elapsed_s=program["elapsed_s"],
    )
