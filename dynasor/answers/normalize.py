"""The fast path to a key: numbers, choice letters and words, without a mathematics parser."""

import re

from dynasor.answers.number import key_of, rational
from dynasor.answers.surface import MATH_PREFIX, MAX_LENGTH, is_formula, plain, tidy

_CHOICE = re.compile(
    r"(?i:(?:option|choice|answer)\s+)?"
    r"(?:\(\s?([A-Za-z])\s?\)|([A-Za-z])\s?[).:]?|\[([A-Za-z])\])"
)
# "(B) 24" and "B. Paris" name a choice and repeat it; "(A) + (B)" does not.
_CHOICE_WITH_TEXT = re.compile(
    r"(?i:(?:option|choice|answer)\s+)?(?:\(([A-J])\)|([A-J])[).:])\s"
    r"(?:-\s?[0-9]|[\w$\\(\"'.]).*",
    re.DOTALL,
)
_ASSIGNMENT = re.compile(
    r"\\?[A-Za-z]{1,24}(?:_(?:[A-Za-z0-9]|\{[A-Za-z0-9]{1,8}\}))?(?:\([A-Za-z]\))?\s?"
    r"(?:=|\\approx(?![A-Za-z])|≈)\s?(?=\S)"
)
_SET_BUILDER = re.compile(
    r"\\\{\s?(?P<name>[a-z])\s?(?:\\in\s?\\mathbb\{R\}\s?)?(?P<bar>:|\||\\mid(?![A-Za-z]))"
    r"(?P<condition>[^:]+)\\\}"
)
_RELATION = re.compile(r"[<>=]|\\(?:[lg]eq?|neq?|in)(?![A-Za-z])")
_SET = re.compile(r"\\\{(?P<members>[^{}\\]*,[^{}\\]*)\\\}")
_APPROXIMATELY = re.compile(r"(?:=|\\approx(?![A-Za-z])|≈)\s?(?=\S)")
_TWO_NAMES = re.compile(r"[a-z]\s?=\s?[a-z]")
_SYMBOL_WORDS = ("pi", "inf", "infinity")
_MAX_PASSES = 12


def normalize(answer: str) -> str | None:
    r"""Return the key of ``answer`` if it needs no mathematics parser, else None.

    Numbers become ``p`` or ``p/q`` (so 0.5, 2/4 and ``\frac12`` are all ``1/2``), a single letter
    becomes upper case, prose becomes its case-folded words, a set of words is sorted. None for
    expressions, tuples, other sets, intervals, and for an answer that is empty or too long. A key
    is its own key.
    """
    key = _once(answer)
    for _ in range(_MAX_PASSES):
        # Folding the case of a text can turn it into something else: \TEXT{b} into a letter.
        again = None if key is None else _once(key)
        if again == key:
            break
        key = again
    return key


def value_text(text: str) -> str:
    """Return a tidied answer without a leading ``x =``, if that is its only relation.

    Of a set ``{x : condition}``, the condition.
    """
    text = _condition(text) or text
    relations = text.count("=") + text.count("≈") + text.count(r"\approx")
    if relations != 1 or _TWO_NAMES.fullmatch(text):
        return text
    match = _ASSIGNMENT.match(text) or _APPROXIMATELY.match(text)
    return text[match.end() :] if match else text


def _condition(text: str) -> str | None:
    builder = _SET_BUILDER.fullmatch(text)
    if not builder:
        return None
    condition = builder["condition"]
    nested = r"\mid" in condition or (builder["bar"] == "|" and "|" in condition)
    about = builder["name"] in condition and _RELATION.search(condition)
    return condition.strip() if about and not nested else None


def _once(answer: str) -> str | None:
    if answer.startswith(MATH_PREFIX):
        return answer
    if len(answer) > MAX_LENGTH:
        return None
    text = tidy(answer)
    choice = _CHOICE.fullmatch(text) or _CHOICE_WITH_TEXT.fullmatch(text)
    if choice:
        return next(letter for letter in choice.groups() if letter).upper()
    value = value_text(text)
    number = rational(value)
    if number is not None:
        return key_of(number)
    # Letters alone are a word, even where they could be a product of variables.
    if is_formula(value) and (value in _SYMBOL_WORDS or not value.isalpha()):
        return None
    words = _SET.fullmatch(value)
    if words:
        return rf"\{{{', '.join(sorted(set(map(plain, words['members'].split(',')))))}\}}"
    return plain(value) or None
