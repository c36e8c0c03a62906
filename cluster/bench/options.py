"""Types of command-line options."""

from __future__ import annotations

import argparse
import math


def natural(text: str) -> int:
    """An integer of at least 0. Raises argparse.ArgumentTypeError."""
    return _at_least(0, text)


def positive(text: str) -> int:
    """An integer of at least 1. Raises argparse.ArgumentTypeError."""
    return _at_least(1, text)


def levels(text: str) -> tuple[int, ...]:
    """``1-8``, ``3`` or ``1,2,8`` as levels of problems.

    Raises:
        argparse.ArgumentTypeError: it is none of these, or a level is below 1.
    """
    found: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            found.extend(range(int(first), int(last or first) + 1))
    except ValueError:
        found = []
    if not found or min(found) < 1:
        raise argparse.ArgumentTypeError(f"must be like 1-8 or 1,2,8, from 1 on; got {text!r}")
    return tuple(dict.fromkeys(found))


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them, each once. Raises argparse.ArgumentTypeError."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise argparse.ArgumentTypeError("must be at least one name")
    return found


def numbers(text: str) -> tuple[int, ...]:
    """Integers of at least 1 with commas between them, each once. Raises
    argparse.ArgumentTypeError."""
    return tuple(dict.fromkeys(positive(part) for part in names(text)))


def above_zero(text: str) -> float:
    """A number above 0. Raises argparse.ArgumentTypeError."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"must be a number above 0, got {text!r}")
    return value


def rates(text: str) -> tuple[float, ...]:
    """Numbers above 0 with commas between them, each once. Raises argparse.ArgumentTypeError."""
    return tuple(dict.fromkeys(above_zero(part) for part in names(text)))


def _at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {least}, got {text!r}")
    return int(text)
