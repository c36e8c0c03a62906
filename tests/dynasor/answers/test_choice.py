"""Which letter the extractor takes for the chosen option."""

import pytest

from dynasor.answers import answer_of


def chosen(text: str, *, complete: bool = True) -> str | None:
    answer = answer_of(text, complete=complete, kind="choice")
    return answer.key if answer else None


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        (r"\boxed{B}", "B"),
        (r"\boxed{\text{(B)}}", "B"),
        (r"$\boxed{\textbf{(D)}\ 24}$", "D"),
        (r"**Final Answer** \[ \boxed{C", "C"),
        ("The answer is B", "B"),
        ("the answer to the question is B", "B"),
        ("Therefore, the correct answer is **(C) Paris**.", "C"),
        ("The best answer is: **A**. It is 5.", "A"),
        ("The answer is A because it fits.", "A"),
        ("Answer: A\nExplanation: a car is fast.", "A"),
        (r"Answer: \textbf{(B)}", "B"),
        ("Answer: b", "B"),
        ("Final Answer\n\n(C)", "C"),
        ("So the answer is [[B]]", "B"),
        ("Option C is correct", "C"),
        ("The correct choice is therefore B.", "B"),
        ("I would go with C, since", "C"),
        ("Thus, A is the best.", "A"),
        ("Option A is wrong. The answer is B. (Option C is tempting.)", "B"),
        ("The answer is A. No, wait: the answer is E.", "E"),
        (r"\boxed{24}, which is (B)", "B"),
    ],
)
def test_what_is_called_the_answer_is_chosen_even_in_a_cut_chain(text: str, letter: str) -> None:
    cut = "(B)" not in text or "box" not in text
    assert chosen(text) == letter
    assert chosen(text, complete=False) == (letter if cut or "text" in text else None)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("(B)", "B"),
        ("B.", "B"),
        ("It fits best.\n\nB", "B"),
        ("x\n\nB. Paris", "B"),
        ("**D**", "D"),
        ("so **D. Paris**, as said", "D"),
        ("(A) x (B) y (C) z", "C"),
        ("It has to be (E), not more", "E"),
    ],
)
def test_a_letter_written_as_an_option_counts_in_a_complete_chain(text: str, letter: str) -> None:
    assert chosen(text) == letter
    assert chosen(text, complete=False) is None


@pytest.mark.parametrize(
    "text",
    [
        "A car is fast",
        "The answer is A car",
        "The answer is a bit hard to find",
        "The answer is I think 5",
        "**A car** is fast",
        "C++ is the answer",
        "The answer is C++",
        "f(A) = 3",
        "Vitamin C",
        r"\boxed{24}",
        r"\boxed{x}",
        "",
    ],
)
def test_a_letter_that_is_no_option_is_none(text: str) -> None:
    assert chosen(text) is None


def test_the_conclusion_comes_before_the_thinking() -> None:
    assert chosen(r"\boxed{A}</think>The answer is B") == "B"
    assert chosen(r"\boxed{A}</think>It is what it is") == "A"
