"""What the extractor takes for the final answer of a chain."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.answers import extract

FRAGMENTS = st.sampled_from(
    [r"\boxed{", r"\fbox{", r"\boxed ", "{", "}", r"\{", "\\", "$", "</think>", "answer is ", "\n"]
) | st.sampled_from(
    ["Answer:", "**Final Answer**\n", "#### ", "5", "3.5", "-1,234", r"\frac{1}{2}", ". ", " so "]
)
TEXTS = st.text() | st.lists(FRAGMENTS | st.text(max_size=4)).map("".join)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (r"first \boxed{1}, then \boxed{2}.", "2"),
        (r"so \boxed{\frac{1}{2}} it is", r"\frac{1}{2}"),
        (r"\boxed{\{1, 2\}}", r"\{1, 2\}"),
        (r"\boxed{\left\{ x \right.} and }", r"\left\{ x \right."),
        (r"\fbox{7} is the answer is 8.", "7"),
        (r"$\boxed 5$", "5"),
        (r"\boxed{\boxed{3}}", "3"),
        (r"\boxed{4} and an empty \boxed{}", "4"),
        (r"\boxed{\text{(B)}}", r"\text{(B)}"),
        (r"**Final Answer** \boxed{42", "42"),
        (r"\boxed{12$ and so on", "12"),
        (r"\boxed{\frac{3}{4", r"\frac{3}{4"),
    ],
)
def test_last_box_that_holds_something_wins(text: str, answer: str) -> None:
    assert extract(text) == answer
    assert extract(text, complete=False) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("The answer is 3.5. I am sure of 2.", "3.5"),
        ("The final answer is: 7", "7"),
        ("ANSWER: Paris\nThat was 1 question.", "Paris"),
        ("**Answer:** 12 apples.", "12 apples"),
        ("**Answer**: $x^2$.", "$x^2$"),
        ("The answer to the second question is $5$ and $6$.", "$5$ and $6$"),
        ("**Final Answer**\n\n1/2\n", "1/2"),
        ("The answer is 4. Wait: the answer is **5**.", "5"),
        ("The answer is\n\\[ x + 1 \\]\nas 3 shows.", "x + 1"),
        ("The answer is 18 because 9 * 2 = 18", "18"),
        ("The correct answer is (C).", "(C)"),
    ],
)
def test_phrases_reach_to_the_end_of_their_sentence(text: str, answer: str) -> None:
    assert extract(text) == answer
    assert extract(text, complete=False) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("5 + 5 = 10\n#### 10", "10"),
        ("#### 1,234\nDone.", "1,234"),
        ("#### Step 1: add\n2 + 2 = 4 follows", "4"),
    ],
)
def test_gsm8k_lines_are_answers_and_headings_are_not(text: str, answer: str) -> None:
    assert extract(text) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("she has 3 and then 18 left", "18"),
        ("it costs $1,234.50 in all", "$1,234.50"),
        ("so x = -7", "-7"),
        ("10-7", "7"),
        ("that is 3/4 of it", "3/4"),
        (r"hence x = \frac{1}{2}", r"\frac{1}{2}"),
        ("about 50%", "50%"),
        ("7, 8", "8"),
        ("so it is 9.", "9"),
    ],
)
def test_last_number_counts_only_in_a_complete_chain(text: str, answer: str) -> None:
    assert extract(text) == answer
    assert extract(text, complete=False) is None


def test_conclusion_is_searched_before_the_thinking() -> None:
    assert extract(r"\boxed{1}</think>It is 2 dollars") == "2"
    assert extract(r"<think>\boxed{1}</think>It is a pity") == "1"
    assert extract(r"\boxed{1}</think>\boxed{2}</think>\boxed{3}") == "3"
    assert extract(r"\boxed{1}</think>so 2 it", complete=False) == "1"


@pytest.mark.parametrize("text", ["", " \n", "no idea", r"\boxed{}", "Answer: ", "</think>"])
def test_text_without_an_answer_has_none(text: str) -> None:
    assert extract(text) is None


@given(TEXTS, st.booleans())
def test_any_text_gives_a_stripped_part_of_itself_or_none(text: str, complete: bool) -> None:
    answer = extract(text, complete=complete)
    assert answer is None or (answer and answer in text and answer == answer.strip())


@pytest.mark.parametrize(
    "unit",
    [
        r"\boxed{",
        r"\boxed{a",
        "answer: ",
        "answer is ",
        "{",
        "1,111,",
        "1",
        "####",
        "\\",
        " ",
        "\n",
        "answer to ",
        "#### \n",
        r"\boxed ",
        "$",
        ".1",
        "final answer\n",
        "**",
    ],
)
def test_hostile_repetition_takes_linear_time(unit: str) -> None:
    start = time.perf_counter()
    extract(unit * (200_000 // len(unit)))
    # Quadratic time would be minutes; the margin is for a busy machine.
    assert time.perf_counter() - start < 5
