"""Which part of a chain is the program, and which programs have one form."""

import pytest

from dynasor.answers import answer_of
from dynasor.answers.code import key, rough

PROGRAM = "def f(x):\n    return x + 1"


@pytest.mark.parametrize(
    "text",
    [
        f"```python\n{PROGRAM}\n```",
        f"Here it is:\n```py\n{PROGRAM}\n\n```\nIt prints:\n```\n2\n```\nand `f` is pure.",
        f"```text\nno\n```\n```python\nbad\n```\n```python\n{PROGRAM}\n```",
        f"```python\nbad\n</think>\n```\n{PROGRAM}\n```",
        f"1. See\n   ```python\n   {PROGRAM.replace('    ', '       ')}\n   ```\n",
        f"````Python\r\n{PROGRAM}\r\n````",
    ],
)
def test_the_last_block_of_code_is_the_program(text: str) -> None:
    answer = answer_of(text, kind="code")
    assert answer and answer.text == PROGRAM
    assert answer_of(text, kind="code", complete=False) == answer


def test_without_a_block_a_box_or_all_of_a_complete_conclusion_is() -> None:
    answer = answer_of(PROGRAM, kind="code")
    assert answer and answer.text == PROGRAM
    assert answer_of(f"so</think>\n{PROGRAM}\n", kind="code") == answer
    assert answer_of(PROGRAM, kind="code", complete=False) is None
    boxed = answer_of(r"\boxed{x = 1}", kind="code", complete=False)
    assert boxed and boxed.text == "x = 1"


def test_a_block_that_was_cut_is_no_program() -> None:
    text = f"```python\nx\n```\n```python\n{PROGRAM}"
    whole, cut = (answer_of(text, kind="code", complete=complete) for complete in (True, False))
    assert whole and whole.text == PROGRAM
    assert cut and cut.text == "x"


@pytest.mark.parametrize(
    "writing",
    [
        "def f(x): return x + 1",
        "def f(x):\n  # adds\n  return (x+1)  # one",
        "def f(x):\n    '''Adds one.'''\n    return x + 1\n",
        "    def f(x):\n        return x + 1",
        "'''A module.'''\n\n\ndef f(x):\n    return x + 1",
    ],
)
def test_layout_comments_and_docstrings_make_no_difference(writing: str) -> None:
    assert key(writing) == key(PROGRAM)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PROGRAM, PROGRAM.replace("1", "2")),
        ("x = '''a'''", "x = '''b'''"),
        ("def f(x:", "def f(y:"),
        ("int x;", "int y;"),
    ],
)
def test_different_programs_have_different_keys(one: str, other: str) -> None:
    assert key(one) != key(other)


@pytest.mark.parametrize("hostile", ["(" * 19_000, "\0", "\ud800", "x" + "+x" * 9_000, "9" * 9_000])
def test_what_the_parser_refuses_is_keyed_by_its_text(hostile: str) -> None:
    assert key(hostile).startswith("code:")
    assert rough(hostile) == rough(f"\n{hostile}  ")


def test_an_overlong_program_is_no_answer() -> None:
    assert answer_of(f"```python\n{'x = 1' * 5_000}\n```") is None
