"""What a kind of answer has to define."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from dynasor.answers.kinds import AnswerKind
from dynasor.answers.surface import MAX_LENGTH


class Found(NamedTuple):
    """An answer as it is written in a chain, and the kind it is, which is not "auto"."""

    kind: AnswerKind
    text: str


class Find(Protocol):
    """Finds an answer in a chain's text; ``complete`` is False for a chain that was cut."""

    def __call__(self, text: str, /, *, complete: bool) -> str | None: ...


class Reading(NamedTuple):
    """How one kind of answer is found in a chain, and what makes two of them one.

    No function raises on any string, and every key is its own key.

    Attributes:
        find: the answer as it is written; takes time linear in the text.
        quick: its key, None where that takes ``key``.
        key: its key; where ``quick`` gives None it may take unbounded time and memory.
        rough: the key of an answer for which ``key`` took too long.
        longest: longer answers, in characters, are no answers.
    """

    find: Find
    quick: Callable[[str], str | None]
    key: Callable[[str], str]
    rough: Callable[[str], str]
    longest: int = MAX_LENGTH
