"""An answer: what a chain concluded, and the key under which it votes."""

from dataclasses import dataclass

from dynasor.answers.choice import CHOICE
from dynasor.answers.code import CODE
from dynasor.answers.free_text import TEXT
from dynasor.answers.guess import guessed
from dynasor.answers.kinds import AnswerKind
from dynasor.answers.mathematics import MATH
from dynasor.answers.reading import Found, Reading

READINGS: dict[AnswerKind, Reading] = {"math": MATH, "choice": CHOICE, "text": TEXT, "code": CODE}
"""How each kind of answer is read; "auto" is one of these, once it is guessed."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The final answer of one chain.

    ``text`` is the answer as written. ``key`` is its canonical form: answers with equal keys vote
    together. ``sketch`` is set for free text, which nobody words twice alike: answers whose
    sketches are similar vote together as well (`dynasor.answers.sketch`).
    """

    text: str
    key: str
    sketch: bytes | None = None


def found_in(text: str, *, complete: bool = True, kind: AnswerKind = "auto") -> Found | None:
    """Return the answer in a chain's text, None if there is none or it is overlong or says nothing
    (marks alone, such as an empty fence).

    ``complete`` is False for a chain that was cut: what stands in its middle is no answer.
    """
    if kind == "auto":
        found = guessed(text, complete=complete)
    else:
        written = READINGS[kind].find(text, complete=complete)
        found = Found(kind, written) if written else None
    if found is None or len(found.text) > READINGS[found.kind].longest:
        return None
    return found if READINGS[found.kind].rough(found.text) else None


def readable(text: str, *, complete: bool = True, kind: AnswerKind = "auto") -> str | None:
    """Return the answer in a chain's text as it is written there; see `found_in`."""
    found = found_in(text, complete=complete, kind=kind)
    return found.text if found else None


def answer_of(text: str, *, complete: bool = True, kind: AnswerKind = "auto") -> Answer | None:
    """Return the answer of a chain's text, parsing in this thread without a time limit.

    For offline use; a server reads through a worker that it can kill.
    """
    found = found_in(text, complete=complete, kind=kind)
    return Answer(found.text, READINGS[found.kind].key(found.text)) if found else None
