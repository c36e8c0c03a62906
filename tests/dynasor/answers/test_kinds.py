"""What holds for answers of all kinds, and which kind is guessed."""

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynasor.answers import answer_of, readable
from dynasor.answers.answer import READINGS, found_in
from dynasor.answers.equal import equal
from dynasor.answers.kinds import ANSWER_KINDS, AnswerKind

KINDS = st.sampled_from(ANSWER_KINDS)
PIECES = st.sampled_from(
    [r"\boxed{", "{", "}", "</think>", "```python\n", "```\n", "\n", "answer is ", "Answer: ", "**"]
) | st.sampled_from(
    ["(B)", "A ", "option ", " is correct", "x = 1", "def f(): ", "The ", ".5", "'", "-", "\u0130"]
)
TEXTS = st.text(st.characters()) | st.lists(PIECES | st.text(max_size=4)).map("".join)


@settings(max_examples=200, deadline=None)
@example("\\boxed``````", "auto", False)
@given(TEXTS, KINDS, st.booleans())
def test_any_text_has_an_answer_of_any_kind_or_none(
    text: str, kind: AnswerKind, complete: bool
) -> None:
    answer = answer_of(text, complete=complete, kind=kind)
    assert answer is None or (answer.text.strip() and answer.key)
    assert readable(text, complete=complete, kind=kind) == (answer.text if answer else None)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(list(READINGS)))
def test_every_key_is_its_own_key(text: str, kind: AnswerKind) -> None:
    reading = READINGS[kind]
    key = reading.key(text)
    assert reading.key(key) == key
    assert reading.quick(text) in (None, key)
    assert reading.rough(reading.rough(text)) == reading.rough(text)


@pytest.mark.parametrize("kind", ANSWER_KINDS)
@pytest.mark.parametrize(
    "unit",
    [
        "```",
        "```python\n",
        "``` x ",
        "answer is        ",
        "answer is option ",
        "answer: **",
        "A is the ",
        "(A) is ",
        "(A",
        r"\text{",
        "final answer\n",
        "the answer to ",
        "</think>",
        "\t",
        "a'",
        "- ",
    ],
)
def test_hostile_repetition_takes_linear_time(unit: str, kind: AnswerKind) -> None:
    start = time.perf_counter()
    readable(unit * (100_000 // len(unit)), kind=kind)
    # Quadratic time would be minutes; the margin is for a busy machine.
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("kind", ["choice", "text"])
@pytest.mark.parametrize("unit", ["`", "$", "{", "''", r"\text{", "a.", "**", "\u00bd", "1,"])
def test_keys_of_hostile_answers_are_quick(unit: str, kind: AnswerKind) -> None:
    start = time.perf_counter()
    READINGS[kind].key(unit * (2_000 // len(unit)))
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (r"\boxed{B}", "choice"),
        (r"\boxed{\text{(B)}\ 24}", "choice"),
        ("Option C is correct, with 5 votes", "choice"),
        (r"\boxed{24}", "math"),
        (r"\boxed{x}", "math"),
        (r"\boxed{5 apples}", "math"),
        (r"\boxed{x = \text{Paris}}", "math"),
        (r"\boxed{\{1,2\}}", "math"),
        (r"\boxed{7 \bmod 11}", "math"),
        ("so 24", "math"),
        (r"\boxed{\text{Paris}}", "text"),
        ("The answer is the Eiffel Tower.", "text"),
        ("```python\nx = 5\n```", "code"),
        ("The answer is:\n```python\nx = 5\n```\nIt sets x to 5", "code"),
        ("```python\nx = 5\n```\nThe answer is 5.", "math"),
        ("\\boxed{5}\n```python\nx = 5\n```", "math"),
        ("```\n5\n```", "math"),
        ("```python\nx = 5\n```</think>It is 6", "math"),
    ],
)
def test_the_kind_is_guessed_from_what_the_chain_says(text: str, kind: AnswerKind) -> None:
    found = found_in(text)
    assert found and found.kind == kind


@pytest.mark.parametrize(
    ("one", "other", "kind", "same"),
    [
        ("The Eiffel Tower", "eiffel tower.", "auto", True),
        ("The Eiffel Tower", "Tower Bridge", "auto", False),
        ("(B) Paris", "B", "auto", True),
        ("(B) Paris", "B", "choice", True),
        ("B", "C", "choice", False),
        ("5 apples", "5 oranges", "text", False),
        ("x = 1", "x=1  # one", "code", True),
        ("x = 1", "x = 2", "code", False),
        ("", "", "text", False),
        (r"\{1,2\}", r"\{2,1\}", "math", True),
    ],
)
def test_grading_goes_by_the_kind(one: str, other: str, kind: AnswerKind, same: bool) -> None:
    assert equal(one, other, kind) is equal(other, one, kind) is same
