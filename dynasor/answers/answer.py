"""An answer: what a chain concluded, and the key under which it votes."""

from dataclasses import dataclass

from dynasor.answers.extract import extract
from dynasor.answers.normalize import normalize
from dynasor.answers.surface import MAX_LENGTH
from dynasor.answers.symbolic import canonical


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


def readable(text: str, *, complete: bool = True) -> str | None:
    """Return the extracted answer, None if there is none or it is empty or overlong."""
    answer = extract(text, complete=complete)
    return answer if answer and len(answer) <= MAX_LENGTH else None


def answer_of(text: str, *, complete: bool = True) -> Answer | None:
    """Return the answer of a chain's text, parsing in this thread without a time limit.

    For offline use; a server reads through a worker that it can kill.
    """
    answer = readable(text, complete=complete)
    if answer is None:
        return None
    key = normalize(answer)
    return Answer(answer, canonical(answer) if key is None else key)
