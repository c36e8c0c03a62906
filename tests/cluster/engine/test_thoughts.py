"""Thoughts of a chain that comes in pieces, and hedge words."""

import itertools
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.engine.thoughts import Thoughts, hedged
from dynasor.phrases import Phrases

DEFAULT = Phrases()
# Enough text behind the last phrase for it to be known.
END = " and so on and on and on"


def split(phrases: tuple[str, ...], *pieces: str) -> list[tuple[str, int]]:
    """Thoughts of a text whose pieces are a token each."""
    thoughts = Thoughts(phrases)
    return [
        thought
        for tokens, piece in enumerate(pieces, start=1)
        for thought in thoughts.feed(piece, tokens)
    ]


def texts(phrases: tuple[str, ...], text: str) -> list[str]:
    return [thought for thought, _ in split(phrases, text + END)]


def test_a_thought_ends_where_the_next_phrase_begins() -> None:
    text = "It is 4.\nWait, it is 5.\nBut why?\n\nSo it is 6."
    assert texts(DEFAULT.thoughts, text) == ["It is 4.", "Wait, it is 5.", "But why?"]


def test_the_last_thought_is_not_over() -> None:
    assert texts(DEFAULT.thoughts, "It is 4. Nothing else.") == []
    assert texts(("Wait",), "Wait, this has begun.") == []


def test_a_phrase_counts_as_whole_words_only() -> None:
    assert texts(("Wait",), "The Waiter can Waitress, aWait and Wait_ and await.") == []
    assert texts(("Wait",), "The Waiter. Wait.") == ["The Waiter."]
    assert texts(("no",), "I know the north denominator. no?") == ["I know the north denominator."]
    assert texts(("\nSo",), "a\nSolve b\nSo c") == ["a\nSolve b"]
    assert texts(("...",), "a...b") == ["a"]


def test_phrases_keep_their_case() -> None:
    assert texts(("Wait",), "I wait. Then wait again.") == []


def test_white_space_is_no_thought() -> None:
    assert texts(("\n\nSo", "\nSo"), "a\n\nSo b") == ["a"]
    assert texts(("Wait",), "\n\nWait. Wait.") == ["Wait."]


def test_without_phrases_nothing_ends() -> None:
    assert texts((), "Wait. But.") == []
    assert split((), "", "a") == []


def test_tokens_are_those_that_complete_the_thought() -> None:
    pieces = ("It", " is", " 4", ".", "\n", "Wa", "it", ",", " no", ".", "\nBut", " why", END)
    # The second thought ends inside the text before "\nBut", which 10 tokens complete.
    assert split(DEFAULT.thoughts, *pieces) == [("It is 4.", 4), ("Wait, no.", 10)]
    # A piece of several tokens that holds the end of one thought and more.
    thoughts = Thoughts(("Wait",))
    assert thoughts.feed("Hm", 3) == []
    assert thoughts.feed("m. Wait, 5. Wait, 6.", 11) == [("Hmm.", 11), ("Wait, 5.", 11)]


def test_pieces_without_text_change_nothing() -> None:
    assert split(("Wait",), "", "a ", "", "Wait", "", END) == [("a", 2)]


words = st.sampled_from(["Wait", "\nWait", "er", " ", "\n", "\n\nSo", "lve", "no", "x", "But", "é"])


@settings(deadline=None)
@given(st.lists(words, max_size=30).map("".join), st.data())
def test_where_pieces_are_cut_makes_no_difference(text: str, data: st.DataObject) -> None:
    phrases = ("\nWait", "Wait", "\n\nSo", "But", "no")
    text += END
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=12).map(sorted))
    bounds = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in itertools.pairwise(bounds)]
    found = split(phrases, *pieces)
    assert [thought for thought, _ in found] == [thought for thought, _ in split(phrases, text)]
    assert "".join("".join(thought.split()) for thought, _ in found) in "".join(text.split())
    # The tokens named hold the thought, and the tokens before them did not yet.
    place = 0
    for thought, tokens in found:
        place = text.index(thought, place) + len(thought)
        assert sum(map(len, pieces[:tokens])) >= place
    ends = [tokens for _, tokens in found]
    assert ends == sorted(ends)


def test_a_long_chain_costs_linear_time() -> None:
    thoughts = Thoughts(DEFAULT.thoughts)
    before = time.process_time()
    for tokens in range(40_000):
        assert not thoughts.feed("\nWaiting", tokens)
    assert time.process_time() - before < 10
    assert len(thoughts.feed("\nWait" + END, 40_001)) == 1


def test_an_empty_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        Thoughts(("a", ""))


@pytest.mark.parametrize(
    "text", ["Wait, is it?", "Well, NO.", "it is 5, but", "(hmm)", "no", "okay: 5", "hold on"]
)
def test_hedge_words_are_found(text: str) -> None:
    assert hedged(text, DEFAULT.hedges)


@pytest.mark.parametrize(
    "text", ["know north denominator nothing", "butter attribute", "awaiting", "", "threshold 5"]
)
def test_hedge_words_inside_words_do_not_count(text: str) -> None:
    assert not hedged(text, DEFAULT.hedges)


def test_without_words_nothing_is_hedged() -> None:
    assert not hedged("wait", ())
