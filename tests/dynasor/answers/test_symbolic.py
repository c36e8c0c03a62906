"""Which expressions share a key, and which the grader takes for equal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynasor.answers import Answer, answer_of, canonical, normalize
from dynasor.answers.equal import equal

SAME = [
    ["x(x+1)", "x^2+x", r"$x^2 + x$", "f(x) = x + x^2", "x*(x+1)", "x**2+x"],
    [r"\sqrt{8}", r"2\sqrt2", "2√2", "sqrt(8)", r"\frac{4}{\sqrt{2}}"],
    [r"\frac{\pi}{4}", r"\pi/4", "π/4", "pi/4", r"0.25\pi"],
    [r"\frac{1}{1+\sqrt2}", r"\sqrt2-1"],
    [r"\sqrt{3+2\sqrt2}", r"1+\sqrt2"],
    ["(1, 2)", r"\left(1,2\right)", r"\langle 1, 2\rangle", "(x,y)=(1,2)", "(1.0, 4/2)"],
    ["1, 2", r"\{2, 1\}", "2 and 1", r"$1$ or $2$", "x=1, x=2", r"x = 1 \text{ or } x = 2"],
    ["x>3", "3<x", r"(3,\infty)", r"x \in (3, \infty)"],
    [r"(-\infty,3)\cup(5,\infty)", "x<3 or x>5", r"x > 5 \text{ or } x < 3"],
    ["2x-y+1=0", "y-2x=1", "4x+2=2y"],
    [r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}"],
    ["(1+i)^2", "2i"],
    [r"\frac{x^2-1}{x-1}", "x+1"],
    [r"\ln 4", r"2\ln 2"],
    [r"\infty", "∞", "infinity"],
    [r"\{1,2\}", r"\{2, 1\}", r"\lbrace 2,1 \rbrace", r"\{1\}\cup\{2\}", r"x\in\{2,1,2\}"],
    [r"\{(1,2),(3,4)\}", "(3,4), (1,2)", r"\{(3,4)\}\cup\{(1,2)\}"],
    ["(1,2]", "]1,2]", r"1<x\le2", r"x \in \left(1, 2\right]", r"(1,2]\cap[0,5)"],
    [r"[1,2)\cup(2,3]", r"(2,3]\cup[1,2)", r"[1,3]\setminus\{2\}", "[1,2[ U ]2,3]"],
    [r"\mathbb R\setminus\{1\}", r"x\ne1", r"(-\infty,1)\cup(1,\infty)", r"\{x : x \neq 1\}"],
    [r"x\ne1, x\ne2", r"(-\infty,1)\cup(1,2)\cup(2,\infty)"],
    [r"\{x \mid x > 3\}", r"\{x\in\mathbb{R} : x>3\}", r"(3,\infty)"],
    [r"\{x : |x| \le 2\}", "[-2,2]", r"[-2,1]\cup[1,2]"],
    [r"\emptyset", r"\varnothing", r"\{\}", r"[0,1]\cap[2,3]"],
    [r"\mathbb{R}", r"\mathbb R", r"(-\infty, +\infty)"],
    [r"\{\text{red}, \text{Blue}\}", r"\{blue, red\}"],
]


@pytest.mark.parametrize("writings", SAME, ids=lambda writings: writings[0])
def test_equal_expressions_share_a_key_which_is_its_own(writings: list[str]) -> None:
    keys = {canonical(writing) for writing in writings}
    assert len(keys) == 1
    assert canonical(keys.copy().pop()) in keys


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ("10^5", "100000"),
        (r"\log_2 8", "3"),
        ("0.1+0.2", "3/10"),
        (r"\binom{5}{2}", "10"),
        ("5!", "120"),
        (r"6\div4", "3/2"),
        (r"\{5\}", "5"),
        ("-2^2", "-4"),
    ],
)
def test_expressions_that_are_rational_share_the_key_of_the_number(answer: str, key: str) -> None:
    assert normalize(answer) is None
    assert canonical(answer) == key == normalize(key)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5m", "5"),  # math_verify removes the m as a unit
        ("(1,1)", "(2,2)"),  # both are empty as open intervals
        ("x=1, y=2", "x=2, y=1"),
        ("(1,2)", "(2,1)"),
        ("[1,2]", "(1,2)"),
        ("(1,2]", "[1,2)"),
        ("[1,2,3]", "[3,2,1]"),
        ("(1,2,3)", r"\{1,2,3\}"),
        (r"\{(1,2)\}", r"\{(2,1)\}"),
        (r"[1,2]\cup[3,4]", r"[1,2]\cup(3,4]"),
        ("(2,1]", "(3,1]"),  # both are empty
        (r"\{x : x>3\}", r"\{y : x>3\}"),
        (r"\sin x\ne0", r"\sin x>0"),
        (r"7 \bmod 11", r"3 \bmod 11"),  # the parser may read the last number only
        ("A+a", "2a"),  # the parser folds case
        (r"\Delta", r"\delta"),
        ("x'+1", "x+1"),  # the parser drops the prime
        ("2 3", "6"),
        ("1.2.3", "9/25"),
        (r"1,2,\ldots,5", "1,2,5"),
        (r"0.\overline{3}x", "0"),
        ("3 red and 5 blue", "5 blue and 3 der"),  # words are products of letters to it
        ("1/3+x", "0.333333+x"),
        ("x^2", "x^3"),
        ("x>3", r"x\ge3"),
    ],
)
def test_different_answers_do_not_share_a_key(one: str, other: str) -> None:
    assert canonical(one) != canonical(other)


def test_what_does_not_parse_is_keyed_by_its_text() -> None:
    assert canonical("x +") == canonical("$x  +$") == "x +"
    assert canonical("") == ""


def test_a_long_form_has_a_short_key() -> None:
    assert len(canonical("(x+y)^{60}")) < 100
    assert canonical("(x+y)^{60}") == canonical("(y+x)^{30}(x+y)^{30}") != canonical("(x+y)^{61}")


PIECES = st.sampled_from(
    ["x", "y", "2", "3", "0.5", "+", "-", "*", "/", "^2", "(", ")", ",", "=", "<", r"\sqrt{2}", "{"]
) | st.sampled_from(
    ["}", r"\frac{1}{2}", r"\pi", "[", "]", r"\{", r"\}", " ", "|", r"\pm ", "i", "!", "e", "$"]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PIECES, max_size=7).map("".join) | st.text(max_size=20))
def test_any_text_has_a_key_which_is_its_own(text: str) -> None:
    key = canonical(text)
    assert canonical(key) == key


def test_answer_of_a_text_is_its_answer_and_key() -> None:
    assert answer_of(r"so \boxed{0.50}") == Answer("0.50", "1/2")
    assert answer_of(r"so \boxed{\sqrt8}") == Answer(r"\sqrt8", canonical(r"2\sqrt2"))
    assert answer_of("it is 5", complete=False) is None
    assert answer_of("no idea") is None
    assert answer_of(r"\boxed{" + "9" * 2001 + "}") is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("1/2", "0.5", True),
        (r"\sin^2 x+\cos^2 x", "1", True),
        (r"\sin(2x)", r"2\sin x\cos x", True),
        ("x=5", "5", True),
        ("0.333", "1/3", False),
        ("1.414", r"\sqrt2", False),
        ("(1,2)", "(2,1)", False),
        ("no", "on", False),
        ("", "", False),
        ("", "x+1", False),
        ("x +", "x -", False),
    ],
)
def test_grading_is_symmetric_and_sees_more_than_keys(one: str, other: str, same: bool) -> None:
    assert equal(one, other) is equal(other, one) is same
