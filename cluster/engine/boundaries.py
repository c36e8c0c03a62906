"""Where a branch ends before its natural end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from dynasor.phrases import Phrases
from dynasor.work import Boundary


def phrases_of(until: Sequence[Boundary], phrases: Phrases) -> list[str]:
    """The phrases that end a branch; a box has none, see `BoxEnd`."""
    ends = {"step": phrases.step, "think_end": phrases.think_end}
    return [ends[name] for name in until if name in ends]


def tokens_before(
    phrase: str, tokens: Sequence[int], decode: Callable[[Sequence[int]], str]
) -> int:
    """How many of the tokens hold nothing of the phrase that ends their text.

    Looks at the last tokens only: none of them is without text, up to a few.
    """
    reach = min(len(tokens), 2 * len(phrase) + 8)
    tail = tokens[len(tokens) - reach :]
    begin = decode(tail).rfind(phrase)
    if begin < 0:
        return len(tokens)
    kept = reach
    while kept > 0 and len(decode(tail[:kept])) > begin:
        kept -= 1
    return len(tokens) - reach + kept


class BoxEnd:
    """Finds the brace that closes a box which is open when the text begins."""

    def __init__(self) -> None:
        self._depth = 1
        self._escaped = False

    @property
    def closed(self) -> bool:
        return self._depth == 0

    def feed(self, text: str) -> str:
        """The part of the text up to and with the closing brace, or all of it."""
        for index, mark in enumerate(text):
            if self._escaped:
                self._escaped = False
            elif mark == "\\":
                self._escaped = True
            elif mark in "{}":
                self._depth += 1 if mark == "{" else -1
                if self._depth == 0:
                    return text[: index + 1]
        return text
