"""Answers that are words."""

import re
import unicodedata

from dynasor.answers.extract import last_box, last_phrase, parts
from dynasor.answers.normalize import normalize
from dynasor.answers.reading import Reading
from dynasor.answers.surface import plain

_ARTICLES = frozenset(("a", "an", "the"))
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_THINK = re.compile(r"</?think>")
_COMMAND = re.compile(r"\\[a-z]+")
_SHORT = 24


def find(text: str, *, complete: bool) -> str | None:
    """Return the last box, else the last "answer is" phrase, else the last line of the conclusion.

    A chain that is not complete has no last line.
    """
    for part in parts(text):
        found = last_box(part) or last_phrase(part) or (_last_line(part) if complete else None)
        if found:
            return found
    return None


def key(answer: str) -> str:
    """Return the case-folded words without punctuation and English articles.

    Signs that change a word or number stay: C++ is not C, -5 not 5. Without a letter, it is the
    key of the number. An answer of punctuation alone is its own key.
    """
    text = answer
    while True:
        before, text = text, _words(text)
        if text == before:
            return text


def is_free(key: str) -> bool:
    """Whether an answer with this key is free text, which two chains hardly word alike.

    A short answer means what it says, and so does a number: "north" and "south" are close in
    every embedding, as "in 1914" and "in 1915" are. Length counts in bytes of UTF-8, of which all
    scripts need about as many.
    """
    digits = any(map(str.isdecimal, key))
    return not digits and len(key.encode(errors="replace")) > _SHORT


def _last_line(text: str) -> str | None:
    for line in reversed(_THINK.sub("\n", text).split("\n")):
        if any(map(str.isalnum, line)):
            return line.strip()
    return None


def _words(answer: str) -> str:
    text = _THOUSANDS.sub("", unicodedata.normalize("NFKC", plain(answer)).casefold())
    if not any(map(str.isalpha, _COMMAND.sub("", text))):
        number = normalize(text)
        return text.strip() if number is None else number
    padded = f" {text} "
    words = "".join(map(_kept, padded, padded[1:], padded[2:])).split()
    words = [word for word in words[:-1] if word not in _ARTICLES] + words[-1:]
    return " ".join(words)


def _kept(before: str, mark: str, after: str) -> str:
    """Return ``mark``, or what stands for it in a key, between its neighbours."""
    if mark in "'\u2019":
        return ""
    if mark not in "$`" and not unicodedata.category(mark).startswith("P"):
        return mark
    number = after.isdecimal() and (
        (mark in "/:" and before.isdecimal())
        or (mark == "." and not before.isalpha())
        or (mark == "-" and not before.isalnum())
    )
    return mark if number or (mark == "#" and before.isalpha()) else " "


TEXT = Reading(find=find, quick=key, key=key, rough=key)
