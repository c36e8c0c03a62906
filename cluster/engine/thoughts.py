"""Splitting a chain's text into thoughts, and words that show doubt."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from functools import lru_cache


class Thoughts:
    """Splits a chain's text, as it comes, at the phrases that begin a new thought.

    A thought reaches from one phrase to the next; the first one begins with the text, and one that
    is only white space is none. A phrase counts as whole words only ("Wait" does not begin a
    thought in "Waiter"), with its case. It may be cut between pieces; where pieces are cut makes
    no difference to the thoughts.
    """

    def __init__(self, phrases: Sequence[str]) -> None:
        """Set up; without phrases, no thought ever ends. Raises ValueError if one is empty."""
        self._pattern = _whole(tuple(phrases)) if phrases else None
        # A place is judged once the longest phrase and what follows it would be there.
        self._reach = max(map(len, phrases), default=0) + 1
        self._text = ""
        self._judged = 0
        self._pieces: deque[tuple[int, int]] = deque()

    def feed(self, text: str, tokens_so_far: int) -> list[tuple[str, int]]:
        """Take the next piece of text and return the thoughts that are now known to have ended.

        ``tokens_so_far`` counts the chain's tokens with this piece. The number with each thought
        is what that count was when the thought's text was complete: too high by at most the
        tokens of the piece in which the next phrase begins. A thought is known to have ended as
        soon as text of the longest phrase's length has followed it.
        """
        if self._pattern is None or not text:
            return []
        self._text += text
        self._pieces.append((len(self._text), tokens_so_far))
        ended = []
        while (start := self._next_start()) is not None:
            thought = self._text[:start].strip()
            if thought:
                ended.append((thought, self._tokens_at(start)))
                self._cut(start)
        self._forget_pieces(self._judged)
        return ended

    def _next_start(self) -> int | None:
        """Index of the next phrase among the places that can be judged."""
        assert self._pattern is not None
        end = len(self._text) - self._reach + 1
        found = self._pattern.search(self._text, self._judged) if self._judged < end else None
        if found is None or found.start() >= end:
            self._judged = max(self._judged, end)
            return None
        self._judged = found.start() + 1
        return found.start()

    def _tokens_at(self, index: int) -> int:
        self._forget_pieces(index)
        return self._pieces[0][1]

    def _forget_pieces(self, index: int) -> None:
        """Forget the pieces that end before ``index``."""
        while self._pieces[0][0] < index:
            self._pieces.popleft()

    def _cut(self, start: int) -> None:
        self._text = self._text[start:]
        self._judged -= start
        self._pieces = deque((end - start, tokens) for end, tokens in self._pieces)


def hedged(text: str, words: Sequence[str]) -> bool:
    """Whether one of ``words`` occurs in the text as a whole word, in any case.

    "know", "north" and "denominator" have no "no" in this sense, "butter" no "but".
    """
    return bool(words) and _whole(tuple(words), re.IGNORECASE).search(text) is not None


@lru_cache(maxsize=256)
def _whole(phrases: tuple[str, ...], flags: int = 0) -> re.Pattern[str]:
    r"""Pattern of any of ``phrases`` where it begins and ends at the bounds of words.

    Unlike ``\b``, this leaves alone what stands beside a phrase's end that is no letter or digit.
    """
    if not all(phrases):
        raise ValueError("a phrase must not be empty")
    return re.compile("|".join(map(_bounded, sorted(phrases))), flags)


def _bounded(phrase: str) -> str:
    before = r"(?<!\w)" if re.match(r"\w", phrase) else ""
    after = r"(?!\w)" if re.search(r"\w\Z", phrase) else ""
    return before + re.escape(phrase) + after
