"""What responses say: the answer, and what it took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from cluster.bench.client import Reply, RequestFailed
from dynasor.answers.answer import Answer, answer_of


@dataclass(frozen=True, slots=True)
class Said:
    """What a response says: the answer, and the tokens that it took in all."""

    answer: str | None
    tokens: int
    branches: int = 0
    stop: str = ""


def of_program(reply: Reply) -> Said:
    """The response to a program. Raises RequestFailed: it lacks what is needed."""
    try:
        program = reply.document["program"]
        branches = len(program.get("branches", ()))
        return Said(program["answer"], program["tokens"]["spent"], branches, program["stop"])
    except (LookupError, TypeError) as error:
        raise RequestFailed(f"unusable response: {error!r}") from None


def of_votes(replies: Iterable[Reply]) -> Said:
    """The majority of plain completions, extracted and grouped as the cluster does it; of equally
    many, the answer that came first. Raises RequestFailed: a response lacks what is needed."""
    try:
        texts: list[tuple[str, bool]] = []
        tokens = 0
        for reply in replies:
            for choice in reply.document["choices"]:
                complete = choice["finish_reason"] == "stop"
                texts.append((choice["message"]["content"] or "", complete))
            tokens += reply.document["usage"]["completion_tokens"]
    except (LookupError, TypeError) as error:
        raise RequestFailed(f"unusable response: {error!r}") from None
    return Said(majority(texts), tokens, len(texts), "complete")


def majority(texts: Iterable[tuple[str, bool]]) -> str | None:
    """The answer of most texts, each with whether it is complete; None: none has any."""
    answers = [answer_of(text, complete=complete) for text, complete in texts]
    found: list[Answer] = [answer for answer in answers if answer is not None]
    if not found:
        return None
    key, _ = Counter(answer.key for answer in found).most_common(1)[0]
    return next(answer.text for answer in found if answer.key == key)
