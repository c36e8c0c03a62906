"""Where a branch ends before its natural end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.engine.boundaries import BoxEnd, phrases_of, tokens_before
from dynasor.phrases import Phrases


def box(*pieces: str) -> tuple[str, bool]:
    end = BoxEnd()
    text = ""
    for piece in pieces:
        text += end.feed(piece)
        if end.closed:
            break
    return text, end.closed


@pytest.mark.parametrize(
    ("pieces", "text", "closed"),
    [
        (("62}", " and more"), "62}", True),
        (("6", "2", "} more"), "62}", True),
        (("\\frac{1}", "{2}} = x"), "\\frac{1}{2}}", True),
        (("\\{1, 2", "\\}} "), "\\{1, 2\\}}", True),
        (("\\", "}x}"), "\\}x}", True),
        (("62", " is it"), "62 is it", False),
    ],
)
def test_a_box_ends_at_the_brace_that_closes_it(
    pieces: tuple[str, ...], text: str, closed: bool
) -> None:
    assert box(*pieces) == (text, closed)


@given(st.text("ab{}\\"), st.data())
def test_where_pieces_are_cut_makes_no_difference_to_a_box(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert box(*pieces) == box(text)


@pytest.mark.parametrize(
    ("words", "phrase", "kept"),
    [
        (("1", " + ", "1", "\n"), "\n", 3),
        (("so", " </", "think", ">"), "</think>", 1),
        (("ends", ".\n\n"), "\n\n", 1),
        (("\n", "a", "\n"), "\n", 2),
        (("\n\n",), "\n\n", 0),
        (("no", " phrase"), "\n", 2),
        ((*"x" * 50, "\n"), "\n", 50),
    ],
)
def test_tokens_that_hold_something_of_the_phrase_do_not_count(
    words: tuple[str, ...], phrase: str, kept: int
) -> None:
    tokens = tuple(range(len(words)))
    assert tokens_before(phrase, tokens, lambda ids: "".join(words[i] for i in ids)) == kept


def test_a_box_is_no_phrase() -> None:
    phrases = Phrases(step="\n", think_end="</t>")
    assert phrases_of(("step", "box", "think_end"), phrases) == ["\n", "</t>"]
