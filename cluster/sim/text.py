"""Tokens of a simulated sequence, from some position on, without a copy of what it generates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Text(NamedTuple):
    """Given tokens, then generated ones, then some of which nobody knows what they are.

    Attributes:
        start: position of the first.
        given: tokens.
        generated: tokens.
        unknown: stands for every token after these; nobody else's is equal.
    """

    start: int
    given: tuple[int, ...]
    generated: Sequence[int]
    unknown: int

    def read(self, start: int, stop: int) -> tuple[int, ...]:
        """Its tokens from one position to another, none before its first."""
        start -= self.start
        stop -= self.start
        size = len(self.given)
        if stop <= size:
            return self.given[start:stop]
        generated = tuple(self.generated[max(start - size, 0) : stop - size])
        tokens = self.given[start:] + generated
        return tokens + (self.unknown,) * (stop - start - len(tokens))

    def cut(self, start: int, stop: int) -> Text:
        """What it says from one position to another; may keep given tokens after them."""
        first, last = start - self.start, stop - self.start
        size = len(self.given)
        # A tuple that stays the same is known to be equal without a look at its tokens.
        given = self.given[first:last] if first else self.given
        if last <= size:
            return Text(start, given, (), self.unknown)
        return Text(start, given, self.generated[max(first - size, 0) : last - size], self.unknown)
