"""What kind of answer a query expects."""

from __future__ import annotations

from typing import Literal, get_args

AnswerKind = Literal["auto", "math", "choice", "text", "code"]
"""auto: guessed from what the chain says; math: numbers, expressions, sets, intervals; choice: a
letter; text: words, grouped by their meaning; code: programs, grouped by what they do."""

ANSWER_KINDS: tuple[AnswerKind, ...] = get_args(AnswerKind)
