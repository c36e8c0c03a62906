"""Types of command-line options."""

from __future__ import annotations

import argparse


def natural(text: str) -> int:
    """An integer of at least 0. Raises argparse.ArgumentTypeError."""
    return _at_least(0, text)


def positive(text: str) -> int:
    """An integer of at least 1. Raises argparse.ArgumentTypeError."""
    return _at_least(1, text)


def _at_least(least: int, text: str) -> int:
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"must be an integer of at least {least}, got {text!r}")
    return int(text)
