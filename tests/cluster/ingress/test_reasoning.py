"""Reasoning and content, whatever the pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.ingress.reasoning import Marks, Piece, Splitter, split

MARKS = Marks.from_end("</think>")


@pytest.mark.parametrize(
    ("text", "opened", "expected"),
    [
        ("a</think>\n\nb", True, Piece("a", "b")),
        ("a", True, Piece("a", "")),
        ("a</thi", True, Piece("a</thi", "")),
        ("a</think>b</think>c", True, Piece("a", "b</think>c")),
        ("<think>\na</think>b", False, Piece("a", "b")),
        ("\n <think>a", False, Piece("a", "")),
        ("<thin", False, Piece("", "<thin")),
        ("plain\n", False, Piece("", "plain\n")),
        ("", True, Piece("", "")),
    ],
)
def test_split(text: str, opened: bool, expected: Piece) -> None:
    assert split(text, MARKS, opened) == expected


def test_without_marks_everything_is_content() -> None:
    assert split("\na</think>b", None, True) == Piece("", "\na</think>b")


def test_marks_are_derived_from_the_end() -> None:
    assert Marks.from_end("[/THINK]") == Marks("[THINK]", "[/THINK]")
    assert Marks.from_end("FINAL:") == Marks(None, "FINAL:")
    assert Marks.from_end("FINAL:").opened_by_template("anything")


def test_a_prompt_opens_the_thinking() -> None:
    assert MARKS.opened_by_template("<|assistant|><think>\n")
    assert not MARKS.opened_by_template("<|assistant|><think>\n\n</think>\n\n")
    assert not MARKS.opened_by_template("what does <think> mean?<|assistant|>")
    assert MARKS.opened_by_text("q<think>so far")
    assert not MARKS.opened_by_text("q<think>x</think>and")
    assert not MARKS.opened_by_text("q")


@given(
    pieces=st.lists(
        st.one_of(st.sampled_from(["<think>", "</think>", "</", "<", "\n", "nk>"]), st.text()),
        max_size=12,
    ),
    opened=st.booleans(),
)
def test_pieces_give_the_same_as_the_whole(pieces: list[str], opened: bool) -> None:
    splitter = Splitter(MARKS, opened)
    parts = [*(splitter.feed(piece) for piece in pieces), splitter.end()]
    joined = Piece("".join(p.reasoning for p in parts), "".join(p.content for p in parts))
    assert joined == split("".join(pieces), MARKS, opened)
