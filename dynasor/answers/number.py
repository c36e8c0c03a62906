"""Reading an answer that is one rational number, however it is written."""

import re
from fractions import Fraction
from string import ascii_lowercase

_DECIMAL = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_SIGNED = rf"[-+]?\s?{_DECIMAL}"
_PLAIN = re.compile(_DECIMAL)
_SCIENTIFIC = re.compile(
    rf"(?P<digits>{_DECIMAL})"
    r"(?:[eE](?P<e>[-+]?[0-9]{1,3})"
    r"|\s*(?:\\times|\\cdot|\*|x)\s*10\s*\^\s*(?:(?P<bare>-?[0-9]{1,3})|\{\s*(?P<braced>-?[0-9]{1,3})\s*\}))"
)
_REPEATING = re.compile(
    r"(?P<whole>[0-9]*)\.(?P<fixed>[0-9]*)\\(?:overline|bar)\s*\{(?P<period>[0-9]+)\}"
)
_RATIO = re.compile(rf"(?P<over>{_DECIMAL})\s?/\s?(?P<under>{_SIGNED})")
_FRAC = (
    rf"\\frac\s*(?:\{{\s*(?P<over>{_SIGNED})\s*\}}|(?P<over_digit>[0-9]))"
    rf"\s*(?:\{{\s*(?P<under>{_SIGNED})\s*\}}|(?P<under_digit>[0-9]))"
)
_FRACTION = re.compile(_FRAC)
_MIXED = re.compile(rf"(?P<whole>[0-9]+)\s*{_FRAC}")
_MIXED_RATIO = re.compile(r"(?P<whole>[0-9]+) (?P<over>[0-9]+)/(?P<under>[0-9]+)")
_BASE = re.compile(r"\(?(?P<digits>[0-9]+)\)?\s?_\s?(?:[0-9]|\{[0-9]+\})")

_SIGN = re.compile(r"([-+]?)\s*([$€£¥₹]?)\s*([-+]?)\s*(?=\S)")
_GROUPED = re.compile(r"(?<![0-9.,])[0-9]{1,3}(?:,[0-9]{3})+(?![0-9,])")
_SPACED = re.compile(r"[0-9]{1,3}(?: [0-9]{3})+(?:\.[0-9]+)?")
_PARENTHESES = re.compile(r"\(([^()\[\]]*)\)")
_DEGREE = re.compile(r"\s?\^\s?(?:\\circ|\{\s?\\circ\s?\})$")
_UNIT = re.compile(r"(?<=[0-9}%])(?P<gap> ?)(?P<words>[A-Za-z][A-Za-z ./]*)(?:\^\{?-?[0-9]\}?)?$")

# Behind a number these change its value or say that more follows; anything else is a unit.
_VALUE_WORDS = """
    hundred thousand million billion trillion dozen dozens half halves third thirds quarter
    quarters fourth fourths fifth fifths am pm and or if when for to mod modulo base choose times
    plus minus over by divided squared cubed sin cos tan cot sec csc ln log exp sqrt pi inf
    infinity less more than remainder factorial is are not
"""
_NOT_UNITS = frozenset(_VALUE_WORDS.split())
_SHORT_UNIT_WORDS = "cm mm km kg mg ml ft in oz lb lbs hr hrs min sec mph kph"
_SHORT_UNITS = frozenset(_SHORT_UNIT_WORDS.split())
_MAX_UNIT_WORDS = 4


def rational(text: str) -> Fraction | None:
    r"""Return the exact value of a tidied answer if it is one number, else None.

    Takes integers, decimals, repeating decimals, scientific notation up to 3 digits of exponent,
    fractions and mixed numbers; drops thousands separators, a currency sign, a base subscript,
    units, and a percent sign (50% is 50, as graders of MATH have it). 0.333 is not 1/3.
    """
    text = _strip_units(text)
    sign = 1
    inner = _PARENTHESES.fullmatch(text)
    if inner and "," not in inner[1]:
        text = inner[1].strip()
    lead = _SIGN.match(text)
    if lead:
        if lead[1] and lead[3]:
            return None
        sign = -1 if "-" in (lead[1], lead[3]) else 1
        text = text[lead.end() :]
    if "(" not in text and "[" not in text:
        text = _GROUPED.sub(lambda group: group[0].replace(",", ""), text)
    if _SPACED.fullmatch(text):
        text = text.replace(" ", "")
    value = _unsigned(text)
    return None if value is None else sign * value


def key_of(value: Fraction) -> str:
    """Return the canonical key of a number, ``p`` or ``p/q`` in lowest terms."""
    return str(value)


def _strip_units(text: str) -> str:
    text = text.rstrip("$ ")
    unit = _UNIT.search(text)
    if unit and _is_unit(unit["words"], bool(unit["gap"])):
        text = text[: unit.start()]
    return _DEGREE.sub("", text.rstrip("% ")).rstrip("% ")


def _is_unit(words: str, spaced: bool) -> bool:
    parts = words.lower().replace(".", "").replace("/", " ").split()
    if not 0 < len(parts) <= _MAX_UNIT_WORDS or any(part in _NOT_UNITS for part in parts):
        return False
    # "2 ab" and "2xyz" are products, "5 apples" and "5cm" are not.
    return all(
        part in _SHORT_UNITS or (spaced and len(part) > 2 and part not in ascii_lowercase)
        for part in parts
    )


def _unsigned(text: str) -> Fraction | None:
    if _PLAIN.fullmatch(text):
        return Fraction(text)
    if match := _RATIO.fullmatch(text):
        return _divide(match["over"], match["under"])
    if match := _FRACTION.fullmatch(text):
        return _divide(*_terms(match))
    if match := _MIXED.fullmatch(text):
        return _mixed(match["whole"], *_terms(match))
    if match := _MIXED_RATIO.fullmatch(text):
        return _mixed(match["whole"], match["over"], match["under"])
    if match := _SCIENTIFIC.fullmatch(text):
        exponent = int(match["e"] or match["bare"] or match["braced"])
        return Fraction(match["digits"]) * Fraction(10) ** exponent
    if match := _REPEATING.fullmatch(text):
        return _repeating(match["whole"], match["fixed"], match["period"])
    if match := _BASE.fullmatch(text):
        return Fraction(match["digits"])
    return None


def _terms(match: re.Match[str]) -> tuple[str, str]:
    return match["over"] or match["over_digit"], match["under"] or match["under_digit"]


def _divide(over: str, under: str) -> Fraction | None:
    divisor = Fraction(under.replace(" ", ""))
    return Fraction(over.replace(" ", "")) / divisor if divisor else None


def _mixed(whole: str, over: str, under: str) -> Fraction | None:
    part = _divide(over, under)
    return Fraction(whole) + part if part is not None and 0 <= part < 1 else None


def _repeating(whole: str, fixed: str, period: str) -> Fraction:
    scale = 10 ** len(fixed)
    start = Fraction(int((whole + fixed) or "0"), scale)
    return start + Fraction(int(period), scale * (10 ** len(period) - 1))
