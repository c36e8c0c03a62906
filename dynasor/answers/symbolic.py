"""The slow path to a key: a mathematics parser and a canonical form."""

import logging
import re
from hashlib import sha256
from typing import Any

from dynasor.answers.normalize import normalize, value_text
from dynasor.answers.surface import FUNCTIONS, MATH_PREFIX, is_formula, plain, tidy

_MAX_KEY = 256
_NUMERIC_KEY = re.compile(r"-?[0-9]+(?:/[0-9]+)?")

_NAMES = "|".join(sorted(FUNCTIONS - {"sqrt"}, key=len, reverse=True))
_BARE_NAME = re.compile(rf"(?<![\\A-Za-z])({_NAMES}|pi)(?![A-Za-z])")
_BARE_INFINITY = re.compile(r"(?<![\\A-Za-z])(?:inf|infinity)(?![A-Za-z])")
_LINK = re.compile(r"(?<![\\A-Za-z])(?:and|or)(?![A-Za-z])")
_ROOT = re.compile(r"\\?sqrt\s?\(")
_DEGREE = re.compile(r"\^\s?(?:\\circ|\{\s?\\circ\s?\})")
_UNION = re.compile(r"(?<=[\[\])}])\s?U\s?(?=[\[\](\\])")
_INTERVAL = re.compile(r"([\[\]])([^\[\](){},]+,[^\[\](){},]+)([\[\]])")
_GROUPED = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])")


def canonical(answer: str) -> str:
    r"""Return the key of ``answer``, parsing it as mathematics where that is needed.

    Equal expressions share a key as far as expansion, cancelling and the rationalizing of roots
    show it: ``x(x+1)`` and ``x^2+x``, ``\sqrt8`` and ``2\sqrt2``; trigonometric identities do
    not. What does not parse is keyed by its text. Never raises, but can take unbounded time and
    memory on hostile input: the caller owns the limits.
    """
    key = normalize(answer)
    if key is not None:
        return key
    text = value_text(tidy(answer))
    form = _form(text)
    if form is not None:
        return form
    folded = plain(text)
    # Folding the case can make the text parse, and a key has to be its own key.
    return folded if folded == answer else canonical(folded)


def parsed(text: str) -> Any | None:
    """Return the SymPy value of the tidied ``text``, None if it cannot be read with confidence."""
    text = _usual(text)
    if not is_formula(text):
        return None
    # math_verify warns on every start that it runs without its own timeout.
    logging.getLogger("math_verify").setLevel(logging.ERROR)
    from latex2sympy2_extended.latex2sympy2 import NormalizationConfig
    from math_verify import LatexExtractionConfig, parse

    # With the parser's own removal of units, 5m would be 5.
    dialect = NormalizationConfig(units=False, malformed_operators=True, nits=True)
    found = parse(
        f"${_latex(text)}$",
        extraction_config=[
            LatexExtractionConfig(boxed_match_priority=-1, normalization_config=dialect)
        ],
        parsing_timeout=None,
    )
    if len(found) != 2:
        return None
    value, read = found
    # The parser drops what it cannot place, as in 0.\overline{3}x: then its value is not ours.
    # And all intervals that end before they begin are one to it.
    digits = _digits(text)
    trusted = _digits(str(read)) == digits and not (digits and str(value) == "EmptySet")
    return value if trusted else None


def _form(text: str) -> str | None:
    from dynasor.answers.form import render

    try:
        value = parsed(text)
        shown = None if value is None else render(value)
    except Exception:  # Any failure inside two large third-party parsers means the same: no form.
        return None
    if shown is None or _NUMERIC_KEY.fullmatch(shown):
        return shown
    if len(shown) == 1:
        return shown.upper()
    if len(shown) > _MAX_KEY:
        shown = f"sha256 {sha256(shown.encode()).hexdigest()}"
    return MATH_PREFIX + shown


def _usual(text: str) -> str:
    r"""Return intervals as ``(a,b) \cup (c,d)``, in whichever way they are written."""
    return _INTERVAL.sub(_turned, _UNION.sub(r"\\cup ", text))


def _turned(interval: re.Match[str]) -> str:
    """Return ``]a,b[`` as ``(a,b)``."""
    left, ends, right = interval.groups()
    return f"{'(' if left == ']' else '['}{ends}{')' if right == '[' else ']'}"


def _latex(text: str) -> str:
    """Return ``text`` in the dialect that the parser reads."""
    text = _DEGREE.sub("", text.replace("$", "").replace("%", ""))
    text = _LINK.sub(",", text).replace("**", "^")
    text = text.replace(r"\langle", "(").replace(r"\rangle", ")")
    text = _BARE_INFINITY.sub(r"\\infty ", _BARE_NAME.sub(r"\\\1 ", text))
    if not any(bracket in text for bracket in "([{"):
        text = _GROUPED.sub(lambda group: group[0].replace(",", ""), text)
    return _braced_roots(text)


def _braced_roots(text: str) -> str:
    r"""Turn ``sqrt(...)`` into ``\sqrt{...}``."""
    for _ in range(text.count("sqrt")):
        root = _ROOT.search(text)
        end = _closing(text, root.end()) if root else None
        if root is None or end is None:
            break
        inner = text[root.end() : end]
        text = f"{text[: root.start()]}\\sqrt{{{inner}}}{text[end + 1 :]}"
    return text


def _closing(text: str, start: int) -> int | None:
    """Return the index of the parenthesis that closes the one before ``start``."""
    depth = 1
    for index in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[index], 0)
        if depth == 0:
            return index
    return None


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
