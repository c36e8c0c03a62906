"""Tells a chain's thinking from its answer, whole or piece by piece, with the same outcome."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Piece(NamedTuple):
    """Text that became known: what of it is reasoning, and what content."""

    reasoning: str = ""
    content: str = ""


class Marks(NamedTuple):
    """What opens and closes the thinking. ``start`` None: a chain always begins by thinking."""

    start: str | None
    end: str

    @classmethod
    def from_end(cls, end: str) -> Marks:
        """``</think>`` is opened by ``<think>``, ``[/THINK]`` by ``[THINK]``."""
        start = end.replace("/", "", 1)
        return cls(start if start != end else None, end)

    def opened_by_template(self, prompt: str) -> bool:
        """Whether a rendered chat prompt leaves the model inside its thinking."""
        return self.start is None or prompt.rstrip().endswith(self.start)

    def opened_by_text(self, prompt: str) -> bool:
        """Whether a raw prompt, which may hold the beginning of the thinking, does."""
        return self.start is not None and prompt.rfind(self.start) > prompt.rfind(self.end)


class Splitter:
    """Takes a chain's text in pieces. A mark may be cut anywhere between two of them.

    Newlines between a mark and what follows it belong to neither side.
    """

    def __init__(self, marks: Marks | None, opened: bool) -> None:
        """``marks`` None: everything is content. ``opened``: the prompt began the thinking."""
        self._marks = marks
        self._side: Literal["undecided", "reasoning", "content"] = "undecided"
        if marks is None:
            self._side = "content"
        elif opened:
            self._side = "reasoning"
        self._held = ""
        self._after_mark = False

    def feed(self, text: str) -> Piece:
        """What is certain after this piece."""
        if self._side == "undecided":
            return self._decide(text)
        if self._side == "reasoning":
            return self._reason(text)
        return Piece(content=self._strip(text))

    def end(self) -> Piece:
        """What was held back because it might have become a mark."""
        held, self._held = self._held, ""
        if self._side == "reasoning":
            return Piece(reasoning=self._strip(held))
        return Piece(content=held)

    def _decide(self, text: str) -> Piece:
        assert self._marks is not None and self._marks.start is not None, "else it is decided"
        start = self._marks.start
        held, self._held = self._held + text, ""
        begin = held.lstrip()
        if begin.startswith(start):
            self._side, self._after_mark = "reasoning", True
            return self._reason(begin.removeprefix(start))
        if start.startswith(begin):
            self._held = held
            return Piece()
        self._side = "content"
        return Piece(content=held)

    def _reason(self, text: str) -> Piece:
        assert self._marks is not None, "only marks lead here"
        held, self._held = self._held + text, ""
        reasoning, mark, content = held.partition(self._marks.end)
        if mark:
            piece = Piece(reasoning=self._strip(reasoning))
            self._side, self._after_mark = "content", True
            return piece._replace(content=self._strip(content))
        known = len(held) - _overlap(held, self._marks.end)
        self._held = held[known:]
        return Piece(reasoning=self._strip(held[:known]))

    def _strip(self, text: str) -> str:
        if self._after_mark:
            text = text.lstrip("\n")
            self._after_mark = not text
        return text


def split(text: str, marks: Marks | None, opened: bool) -> Piece:
    """Split a whole chain."""
    splitter = Splitter(marks, opened)
    first, last = splitter.feed(text), splitter.end()
    return Piece(first.reasoning + last.reasoning, first.content + last.content)


def _overlap(text: str, mark: str) -> int:
    """Length of the longest end of ``text`` that a mark may begin with."""
    longest = min(len(text), len(mark) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(mark[:n])), 0)
