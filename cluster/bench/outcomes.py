"""One problem under one row: what is asked, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cluster.bench.client import Reply, RequestFailed
from cluster.bench.jobs import Job
from cluster.bench.majority import Chain
from cluster.bench.rows import Row
from cluster.models.abacus.reasoner import THINK_HARD
from dynasor.answers.answer import answer_of
from dynasor.answers.equal import equal
from dynasor.answers.normalize import normalize


@dataclass(frozen=True, slots=True)
class Outcome:
    """A problem that was answered.

    Attributes:
        correct: 1 or 0; of a plain row, the share of its completions that are right.
        spent: tokens in all: generated, and read by reward models.
        probe, score, discarded: how many of them were probes, read by reward models, and generated
            for chains that were cut off.
        thinking: tokens generated for anything but the shown answer; None: not told.
        latency_s: as the client saw it.
        certaindex: when the program ended, in [0, 1]; None: nothing was measured.
        measured: units of the algorithm's knob behind it.
        chains: what votes, where it is asked for.
    """

    problem: int
    level: int
    row: str
    answer: str | None
    correct: float
    spent: int
    probe: int
    score: int
    discarded: int
    thinking: int | None
    latency_s: float
    certaindex: float | None
    measured: int
    stop: str
    chains: tuple[Chain, ...] = ()


def body(job: Job, row: Row, model: str) -> dict[str, Any]:
    """The chat request that puts a problem under a row."""
    system = [{"role": "system", "content": THINK_HARD}] if row.hard else []
    return {
        "model": model,
        "messages": [*system, {"role": "user", "content": job.problem.text}],
        "temperature": 1.0,
        "program": row.program,
    }


def outcome(job: Job, row: Row, reply: Reply, chains: bool = False) -> Outcome:
    """Read a response. ``chains``: also read what its chains say.

    Raises:
        RequestFailed: it lacks what is needed.
    """
    try:
        return _outcome(job, row, reply, chains)
    except (LookupError, TypeError, AttributeError) as error:
        raise RequestFailed(f"unusable response: {error!r}") from None


def _outcome(job: Job, row: Row, reply: Reply, chains: bool) -> Outcome:
    program, tokens = reply.document["program"], reply.document["program"]["tokens"]
    details = reply.document["usage"].get("completion_tokens_details") or {}
    said = [program["answer"]]
    if row.plain:
        said = [_conclusion(choice) for choice in reply.document["choices"]]
    right = [_right(answer, job) for answer in said]
    return Outcome(
        problem=job.number,
        level=job.problem.level,
        row=row.name,
        answer=said[0],
        correct=sum(right) / len(right),
        spent=tokens["spent"],
        probe=tokens["probe"],
        score=tokens["score"],
        discarded=tokens["discarded"],
        thinking=details.get("reasoning_tokens"),
        latency_s=reply.latency_s,
        certaindex=program["certaindex"] if program["signals"] else None,
        measured=program["measured"],
        stop=program["stop"],
        chains=tuple(_chain(branch, job) for branch in program["branches"]) if chains else (),
    )


def _conclusion(choice: dict[str, Any]) -> str | None:
    """What a completion says, which no program has read."""
    complete = choice["finish_reason"] == "stop"
    answer = answer_of(choice["message"]["content"] or "", complete=complete)
    return None if answer is None else answer.text


def _chain(branch: dict[str, Any], job: Job) -> Chain:
    answer = branch["answer"]
    key = None if answer is None else normalize(answer) or answer
    return Chain(key, _right(answer, job), branch["tokens"])


def _right(answer: str | None, job: Job) -> bool:
    return answer is not None and equal(answer, str(job.problem.answer))
