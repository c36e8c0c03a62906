"""Which answers share a key without a mathematics parser."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynasor.answers import normalize

PIECES = st.sampled_from(
    ["\\", "{", "}", "$", "frac", r"\frac", r"\text{", "(", ")", "B", "x", "=", ".", ",", "%", " "]
) | st.sampled_from(
    ["1", "23", "/", "-", "e", r"\TEXT{b}", "Ö", "ß", "°", "½", "√", "**", "math:", "pm", ":"]
)
TEXTS = st.text() | st.lists(PIECES).map("".join)


@pytest.mark.parametrize(
    ("key", "writings"),
    [
        ("1/2", ["0.5", ".5", "0.50", "1/2", "2/4", r"\frac12", r"\frac{1}{2}", r"\dfrac{2}{4}"]),
        ("1/2", [r"\tfrac1{2}", "$0.5$", r"\(\frac{1}{2}\)", "x = 1/2", "½", "5e-1", "(1/2)"]),
        ("-1/2", ["-0.5", "- 1/2", r"-\frac12", r"\frac{-1}{2}", r"\frac{1}{-2}", "\u22120.5"]),
        ("7/2", ["3.5", r"3\frac12", "3 1/2", r"3 \frac{1}{2}", "3½"]),
        ("-7/2", [r"-3\frac{1}{2}", "-3 1/2"]),
        ("1234567", ["1,234,567", r"1{,}234{,}567", r"1,\!234,\!567", "1 234 567", "1234567.00"]),
        ("18", ["$18", r"\$18", "$18.00", "18 dollars", "€18", "$18$", "18.", "+18", "018"]),
        ("-5", ["-$5", "$-5", "$-5$", "-5"]),
        ("50", ["50%", r"50\%", "50 percent", "50"]),
        ("120", [r"120^\circ", r"120^{\circ}", "120°", "120 degrees", r"\theta = 120^\circ"]),
        ("300000", [r"3 \times 10^5", r"3\cdot10^{5}", "3e5", "3.0E+5", "300,000", "3·10^5"]),
        ("1/3", [r"0.\overline{3}", "1/3", r"\frac{2}{6}"]),
        ("333/1000", ["0.333", "333/1000"]),
        (
            "5",
            ["5 apples", r"5\text{ cm}", r"5 \text{ m/s}^2", "5 cm^2", r"5\,\mathrm{kg}", "5 km"],
        ),
        ("101", ["101_2", "101_{2}", "101"]),
        ("0", ["0", "-0", "0.0", "0/7"]),
    ],
)
def test_equal_numbers_share_a_key_however_written(key: str, writings: list[str]) -> None:
    assert {writing: normalize(writing) for writing in writings} == dict.fromkeys(writings, key)


@pytest.mark.parametrize(
    ("key", "writings"),
    [
        ("B", ["B", "b", "(B)", "B.", "B)", r"\text{B}", r"\textbf{(B)}", "**B**", "Option B"]),
        ("C", [r"\textbf{(C)}\ 24", "(C) Paris", "C. Paris", r"\boxed{C}"]),
        ("no solution", ["No solution.", r"\text{no  solution}", "NO SOLUTION"]),
        ("paris", ["Paris", " paris ", r"\mathrm{Paris}"]),
        ("10:30", ["10:30", "10:30."]),
        ("5 pm", ["5 PM", "5 pm"]),
        ("5 million", ["5 million"]),
        (r"7 \bmod 11", [r"7 \bmod 11"]),
        ("1.2.3", ["1.2.3"]),
    ],
)
def test_letters_and_words_have_a_key(key: str, writings: list[str]) -> None:
    assert {writing: normalize(writing) for writing in writings} == dict.fromkeys(writings, key)


def test_anagrams_do_not_share_a_key() -> None:
    assert normalize("no") != normalize("on")


@pytest.mark.parametrize(
    "answer",
    [
        "x+1",
        r"\sqrt{2}",
        "(1, 2)",
        "1,2",
        r"\{1\}",
        "[0,1)",
        "2x",
        "x>3",
        "5m",
        "2 xy",
        "x=y",
        r"\pi",
        "pi",
        "5!",
        "2^{10}",
        "1/0",
        r"3\frac{1}{x}",
        r"2\mathrm{i}",
        "",
        "  ",
        "9" * 2001,
    ],
)
def test_what_needs_a_parser_or_is_no_answer_has_no_fast_key(answer: str) -> None:
    assert normalize(answer) is None


@given(st.fractions(max_denominator=10**6), st.integers(1, 9))
def test_a_fraction_has_the_key_of_its_value(value: Fraction, factor: int) -> None:
    over, under = value.numerator * factor, value.denominator * factor
    writings = [
        f"{over}/{under}",
        rf"\frac{{{over}}}{{{under}}}",
        rf"$x = \dfrac{{{over}}}{{{under}}}$",
    ]
    assert {normalize(writing) for writing in writings} == {str(value)}


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=3), st.integers(0, 3))
def test_a_decimal_has_the_key_of_its_exact_value(value: object, zeros: int) -> None:
    digits = f"{value:.3f}"
    grouped = f"{value:,.3f}"
    writings = [digits, digits + "0" * zeros, grouped, f"${digits}$", rf"{grouped}\%"]
    assert {normalize(writing) for writing in writings} == {str(Fraction(digits))}


@given(TEXTS)
def test_a_key_is_its_own_key(text: str) -> None:
    key = normalize(text)
    assert key is None or normalize(key) == key
