r"""Answers that are the letter of an option, A to J.

A letter is one only where the text marks it as a choice: "A" is an article and "I" a pronoun too.
"""

import re

from dynasor.answers.extract import last_box, parts
from dynasor.answers.normalize import normalize
from dynasor.answers.reading import Reading
from dynasor.answers.surface import plain

LETTERS = frozenset("ABCDEFGHIJ")

_MARK = r"(?:[\s*_\"'`$:]|\[|\\[(\[]|\\(?:text|math|mbox)[a-z]{0,6}\{){0,8}"
_GOES_ON = r"(?:because|since|as|is|for|which|and|or|with|due)\b"
# C++, C-4, C' and C = 5 begin with no choice.
_BARE = (
    r"(?:[B-HJ]|[AI](?![ \t]{1,4}(?!" + _GOES_ON + r")\w))"
    r"(?![^\W_]|['\u2019/-][^\W_]|\+|[ \t]?[=^])"
)
_LETTER = rf"(?:\([ \t]?[A-Ja-hj][ \t]?\)|\[[A-J]\]|(?<![^\W_]){_BARE})"
_SMALL = r"[a-j](?=[ \t*_.]{0,4}(?:\n|\Z))"
_OPTION = r"(?i:option|choice|letter)"
_BEFORE = (
    r"\b(?:(?i:answers?)[*_]{0,3}(?:[ \t]{1,4}(?i:to|of|for)\b[^.:\n$]{0,80}?)?[ \t]{1,4}"
    r"(?i:is|are|(?:would|should|must)[ \t]be)\b"
    r"|(?i:answers?)[*_]{0,3}[ \t]{0,4}:"
    r"|(?i:final[ \t]{1,4}answer)[*_]{0,3}[ \t]{0,4}(?=\n)"
    rf"|{_OPTION}[ \t]{{1,4}}(?i:is)\b"
    r"|(?i:choose|select|pick|go[ \t]with)\b)"
    rf"{_MARK}(?:(?i:the|therefore|thus|hence|likely)\b{_MARK})?(?:{_OPTION}\b{_MARK})?"
)
_AFTER = (
    rf"{_MARK}(?i:is|as)[ \t]{{1,4}}(?i:the[ \t]{{1,4}}|our[ \t]{{1,4}}|my[ \t]{{1,4}})?"
    r"(?i:only[ \t]{1,4}|most[ \t]{1,4}|final[ \t]{1,4})?(?i:correct|right|best|true|answer)\b"
)
_STATED = re.compile(
    rf"{_BEFORE}({_LETTER}|{_SMALL})|({_LETTER})(?:\}}|\*\*|\$|\)){{0,2}}(?={_AFTER})"
)
_MENTIONED = re.compile(
    r"(?<![\w)\]])\([A-J]\)|(?<=\*\*)(?:\([A-J]\)|[A-J](?=[.):]|\*\*))"
    r"|(?<=\b[Oo]ption )[A-J]\b|(?<=\b[Cc]hoice )[A-J]\b"
)


def letter(answer: str) -> str | None:
    r"""Return the letter if an answer names an option, as ``(b)``, ``\text{B.}``, ``B. Paris``."""
    key = normalize(answer)
    return key if key in LETTERS else None


def stated(text: str) -> str | None:
    """Return the letter, as written, that ``text`` says last to be the answer."""
    found = None
    for match in _STATED.finditer(text):
        found = match[1] or match[2]
    return found


def find(text: str, *, complete: bool) -> str | None:
    """Return the last box that names an option, else the last option that is called the answer.

    Else, in a chain that is complete, its last line if that is an option, else the last letter
    that is written as one.
    """
    for part in parts(text):
        box = last_box(part)
        if box is not None and letter(box):
            return box
        found = stated(part) or (_mentioned(part) if complete else None)
        if found:
            return found
    return None


def key(answer: str) -> str:
    """Return the letter; an answer that names none is keyed by its text."""
    folded = plain(answer)
    return letter(answer) or letter(folded) or folded


def _mentioned(text: str) -> str | None:
    *_, line = text.rstrip().rsplit("\n", 1)
    # A line of several options is a list of them.
    if letter(line) and len(_MENTIONED.findall(line)) < 2:
        return line.strip()
    found = None
    for match in _MENTIONED.finditer(text):
        found = match[0]
    return found


CHOICE = Reading(find=find, quick=key, key=key, rough=key)
