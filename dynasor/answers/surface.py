"""Taking the typography off an answer: what is left differs only if the answer may differ."""

import re
from string import ascii_lowercase

MAX_LENGTH = 2000
"""Answers longer than this many characters are no answers, and are never parsed."""

MATH_PREFIX = "math:"
"""Begins every key that a mathematics parser made, so that no plain text can equal one."""

_UNICODE = str.maketrans(
    {
        "\u2212": "-",
        "\u2215": "/",
        "\u2044": "/",
        "\u00a0": " ",
        "\u2009": " ",
        "\u202f": " ",
        "\N{MULTIPLICATION SIGN}": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "÷": "/",
        "√": r"\sqrt",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "≥": r"\ge ",
        "≠": r"\ne ",
        "±": r"\pm ",
        "\N{UNION}": r"\cup ",
        "∩": r"\cap ",
        "∈": r"\in ",
        "°": r"^\circ",
        "²": "^2",
        "³": "^3",
        "½": " 1/2",
        "¼": " 1/4",
        "¾": " 3/4",
    }
)

_WRAPPERS = (
    ("**", "**"),
    ("$", "$"),
    (r"\(", r"\)"),
    (r"\[", r"\]"),
    (r"\boxed{", "}"),
    ("{", "}"),
    ('"', '"'),
    ("`", "`"),
)
_TAIL = " \t\n\r.,;:"
_NESTING = 12
_DOLLAR = re.compile(r"(?<!\\)\$")

# A short unit set upright after a number; what can be a value (2\mathrm{i}) or a time stays.
_UPRIGHT_UNIT = re.compile(
    r"(?<=[0-9}])\s*\\(?:text|mathrm|textrm|mbox)\{\s*(?!(?:am|pm|e|i|j|pi)\b)"
    r"[A-Za-z]{1,3}(?:\s?/\s?[A-Za-z]{1,3})?(?:\^\{?-?[0-9]\}?)?\s*\}(?:\^\{?-?[0-9]\}?)?\s*$"
)
_STYLED = re.compile(
    r"\\(?:text(?:bf|it|rm|tt|sf|normal)?|math(?:rm|bf|it|sf|tt|normal)|operatorname\*?|mbox|emph)"
    r"\s*\{([^{}]*)\}"
)
_SEPARATOR = re.compile(r"\{,\}|,\\!")
_NO_INK = re.compile(
    r"(?<!\\)\\[!,;:> ]|~"
    r"|\\(?:q?quad|displaystyle|textstyle|left|middle|right|[bB]igg?[lr]?|limits)(?![A-Za-z])"
)
_SYNONYMS = (
    (re.compile(r"\\[dtc]frac(?![A-Za-z])"), r"\\frac"),
    (re.compile(r"\\lbrace(?![A-Za-z])\s?"), r"\\{"),
    (re.compile(r"\s?\\rbrace(?![A-Za-z])"), r"\\}"),
    (re.compile(r"\\varnothing(?![A-Za-z])|\\\{\s*\\\}"), r"\\emptyset"),
    (re.compile(r"\\mathbb\s?([A-Za-z])(?![A-Za-z])"), r"\\mathbb{\1}"),
)
_ESCAPED = re.compile(r"\\([$%#_])")
_LETTERS = re.compile(r"[^\W\d_]+")
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_ENVIRONMENT = re.compile(r"\\(?:begin|end)\{[bpv]?matrix\}")
# The parser multiplies neighbours: 1.2.3 would be 1.2 times .3, and "2 3" would be 6.
_NEIGHBOURS = re.compile(r"\.[0-9]*\s?\.|(?<!_)[0-9] [0-9.]")
_FORMULA = re.compile(r"[A-Za-z0-9\s+\-*/^_=<>()\[\]{}.,!|&\\$%]*")

_FUNCTION_NAMES = "sin cos tan cot sec csc arcsin arccos arctan sinh cosh tanh ln log exp sqrt"
FUNCTIONS = frozenset(_FUNCTION_NAMES.split())
"""Function names that an answer may spell without a backslash."""

# The parser silently stops at, or misreads, commands that it does not know (7 \bmod 11 becomes
# 11, \Delta the same as \delta): an expression goes to it only if it reads every command right.
_COMMAND_NAMES = r"""
    frac binom cdot times div pm mp pi cup cap setminus in infty le leq ge geq lt gt ne neq
    emptyset varnothing mathbb lfloor rfloor lceil rceil overline bar vec sum prod int circ
    langle rangle
    alpha beta gamma delta epsilon varepsilon theta lambda mu nu rho sigma tau phi varphi omega
    { } \
"""
_KNOWN_COMMANDS = FUNCTIONS | frozenset(_COMMAND_NAMES.split())
# In a formula A and a are two things, in prose one.
_FORMAL = re.compile(r"[\\^_=+*/<>{}|]")
_LINKS = frozenset(("and", "or", "inf", "infinity"))


def tidy(answer: str) -> str:
    r"""Return ``answer`` without dollar signs, styling, spacing commands and outer wrappers.

    Symbols outside ASCII and synonyms (``\dfrac``, ``\lbrace``) become the usual commands, white
    space collapses. Digits and letters of the answer itself all stay, except those of a unit set
    upright behind a number.
    """
    text = answer.translate(_UNICODE)
    text = _unwrap(text)
    text = _SEPARATOR.sub("", text)
    text = _UPRIGHT_UNIT.sub("", text)
    for _ in range(_NESTING):
        text, count = _STYLED.subn(r" \1 ", text)
        if not count:
            break
    text = _NO_INK.sub(" ", text)
    for written, usual in _SYNONYMS:
        text = written.sub(usual, text)
    text = _ESCAPED.sub(r"\1", text)
    return " ".join(_unwrap(text).split())


def _unwrap(text: str) -> str:
    for _ in range(_NESTING):
        before = text
        text = text.strip()
        if not text.endswith((r"\,", r"\;", r"\:")):
            text = text.rstrip(_TAIL)
        for opening, closing in _WRAPPERS:
            inner = text[len(opening) : -len(closing)]
            whole = len(text) >= len(opening) + len(closing)
            if whole and text.startswith(opening) and text.endswith(closing) and _closed(inner):
                text = inner
        if text == before:
            break
    return text


def _closed(inner: str) -> bool:
    r"""Whether removing what surrounds ``inner`` took a pair, as in ``{a}`` but not ``{a}{b}``."""
    if inner.endswith("\\") or _DOLLAR.search(inner):
        return False
    depth = 0
    for token in re.finditer(r"\\.|[{}]", inner, re.DOTALL):
        depth += {"{": 1, "}": -1}.get(token[0], 0)
        if depth < 0:
            return False
    return depth == 0 and not re.search(r"\\[()\[\]]|\*\*", inner)


def plain(answer: str) -> str:
    """Return the key of an answer that is compared as text: tidied, and case-folded if prose.

    Also the key of an answer whose parsing failed or took too long. Only texts that tidy to the
    same characters, case aside in prose, share it, so it merges nothing that differs.
    """
    text = answer
    while True:
        before, text = text, tidy(text)
        text = text if _FORMAL.search(text) else text.casefold()
        if text == before:
            return text


def is_prose(text: str) -> bool:
    """Whether the tidied ``text`` is words: at least two letters, and nothing that computes."""
    return not _FORMAL.search(text) and sum(map(str.isalpha, text)) > 1


def is_formula(text: str) -> bool:
    """Whether the tidied ``text`` can be given to the mathematics parser.

    False for prose: the parser reads words as products of letters, so anagrams would be equal.
    False for commands, characters and mixed-case variables that it misreads.
    """
    if len(text) > MAX_LENGTH or not _FORMULA.fullmatch(text) or _NEIGHBOURS.search(text):
        return False
    body = _ENVIRONMENT.sub(" ", text)
    if any(command not in _KNOWN_COMMANDS for command in _COMMAND.findall(body)):
        return False
    words = _LETTERS.findall(_COMMAND.sub(" ", body))
    if not all(map(_may_be_math, words)):
        return False
    # The parser folds case: A + a would become 2a.
    letters = set("".join(word for word in words if word.lower() not in FUNCTIONS))
    return not any(letter.isupper() and letter.lower() in letters for letter in letters)


def _may_be_math(word: str) -> bool:
    """Whether a run of letters can be a function, a link, or a product such as ``xyz``."""
    if len(word) < 3:
        return word.lower() not in ("am", "pm")
    return word in FUNCTIONS or word in _LINKS or word in ascii_lowercase
