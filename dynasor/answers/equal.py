"""Grading an answer against a gold answer."""

from dynasor.answers.answer import READINGS
from dynasor.answers.guess import kind_of
from dynasor.answers.kinds import AnswerKind
from dynasor.answers.normalize import normalize, value_text
from dynasor.answers.surface import tidy
from dynasor.answers.symbolic import canonical, parsed


def equal(a: str, b: str, kind: AnswerKind = "auto") -> bool:
    """Whether two answers are the same: by key, and in mathematics by math_verify both ways.

    Symmetric, but because math_verify compares numerically to 6 digits it is not transitive: use
    it to grade, never to group. Two answers that both have a fast key are compared by key alone.
    Programs are compared by their form, not by what they do. Has no time limit of its own.
    """
    if kind == "auto":
        kind = "text" if kind_of(a) == kind_of(b) == "text" else "math"
    if kind == "math":
        return _equal_math(a, b)
    return bool(a.strip() and b.strip()) and READINGS[kind].key(a) == READINGS[kind].key(b)


def _equal_math(a: str, b: str) -> bool:
    fast_a, fast_b = normalize(a), normalize(b)
    if fast_a is not None and fast_b is not None:
        return fast_a == fast_b
    if not a.strip() or not b.strip():
        return False
    if canonical(a) == canonical(b):
        return True
    try:
        left, right = (parsed(value_text(tidy(text))) for text in (a, b))
        return left is not None and right is not None and _verified(left, right)
    except Exception:  # math_verify and SymPy raise anything on what they cannot compare.
        return False


def _verified(left: object, right: object) -> bool:
    from math_verify import verify

    return all(
        verify(gold, target, timeout_seconds=None)
        for gold, target in ((left, right), (right, left))
    )
