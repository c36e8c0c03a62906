"""Finding an answer whose kind is not known."""

from dynasor.answers import choice
from dynasor.answers.code import last_block
from dynasor.answers.extract import last_box, last_gsm8k, last_number, last_phrase, parts
from dynasor.answers.kinds import AnswerKind
from dynasor.answers.normalize import normalize
from dynasor.answers.reading import Found
from dynasor.answers.surface import is_prose, plain, tidy


def kind_of(answer: str) -> AnswerKind:
    """Guess what kind an extracted answer is."""
    key = normalize(answer)
    if key in choice.LETTERS:
        return "choice"
    # A number with its unit, or a named value, has words but is not keyed by them.
    return "text" if key == plain(answer) and is_prose(tidy(answer)) else "math"


def guessed(text: str, *, complete: bool) -> Found | None:
    """Return the answer that `extract` would find; but a program that the chain ends on, or an
    option that it calls right, before any number."""
    for part in parts(text):
        found = _guessed_in(part, complete)
        if found:
            return found
    return None


def _guessed_in(text: str, complete: bool) -> Found | None:
    block = last_block(text, complete=complete)
    program = block if block and block.is_code else None
    after = text[program.end :] if program else text
    stated = last_box(text) or last_phrase(after) or last_gsm8k(after)
    if stated:
        return Found(kind_of(stated), stated)
    if program:
        return Found("code", program.text)
    chosen = choice.stated(text)
    if chosen:
        return Found("choice", chosen)
    number = last_number(text) if complete else None
    return Found("math", number) if number else None
