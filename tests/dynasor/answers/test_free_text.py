"""Which words are the answer, and which answers in words are the same."""

import pytest

from dynasor.answers import answer_of
from dynasor.answers.free_text import is_free, key


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"so \boxed{\text{Paris}} it is", r"\text{Paris}"),
        ("The answer is Paris. I am sure.", "Paris"),
        ("hm</think>\n\nParis\n", "Paris"),
        ("First this.\nThen **Paris**.\n```\n", "Then **Paris**."),
        ("<think>Paris</think>", "Paris"),
    ],
)
def test_a_box_then_a_phrase_then_the_last_line_is_the_answer(text: str, answer: str) -> None:
    found = answer_of(text, kind="text")
    assert found and found.text == answer


def test_the_last_line_of_a_cut_chain_is_no_answer() -> None:
    assert answer_of("It might be Paris", complete=False, kind="text") is None
    assert answer_of("The answer is Paris", complete=False, kind="text")


@pytest.mark.parametrize(
    "writings",
    [
        ["Paris", " paris.", r"\text{Paris}", "**Paris**", '"Paris"', "the Paris"],
        ["The Eiffel Tower", "eiffel tower", "Eiffel-Tower!"],
        ["it can't be", "It can\u2019t be.", "it cant be"],
        ["1,234 men", "1234 men"],
        ["0.5", r"\frac12", "1/2", "½"],
        ["x and y", "$x$ and $y$"],
    ],
)
def test_case_punctuation_and_articles_make_no_difference(writings: list[str]) -> None:
    assert len({key(writing) for writing in writings}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("no", "on"),
        ("C++", "C"),
        ("C#", "C++"),
        ("-5 degrees", "5 degrees"),
        ("0.5 m tall", "5 m tall"),
        ("5 apples", "5 oranges"),
        ("12 men", "1, 2 men"),
        ("vitamin A", "vitamin"),
        ("\u0915\u093f", "\u0915\u093e"),  # they differ in a combining vowel sign
        ("!", "?"),
    ],
)
def test_different_answers_have_different_keys(one: str, other: str) -> None:
    assert key(one) != key(other)


def test_only_long_answers_without_numbers_are_free_text() -> None:
    assert not is_free(key("because the treaty was signed in 1914 by both sides"))
    assert not is_free(key("The United Kingdom"))
    assert is_free(key("because the treaty was never signed by both sides"))
    assert is_free(key("\u6761\u7ea6\u4ece\u672a\u7531\u53cc\u65b9\u7b7e\u7f72"))
