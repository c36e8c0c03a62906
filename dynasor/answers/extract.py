"""Finding the final answer in the text of a chain."""

import re
from collections.abc import Iterator

_THINK_END = "</think>"

# Escaped braces are literal set braces and a double backslash is a line break: both are consumed
# as tokens so that neither takes part in the balance.
_BOX_TOKEN = re.compile(r"\\(?:boxed|fbox)(?![A-Za-z])\s{0,8}(\{|[^\s{}$]+)?|\\[\\{}]|[{}]")
_BOX_CUT = re.compile(r"\n\n|(?<!\\)\$")

_PHRASE = re.compile(
    r"\b(?:"
    r"final[ \t]{1,4}answer[*_]{0,3}[ \t]{0,4}\n"
    r"|answers?[*_]{0,3}[ \t]{1,4}(?:(?:to|of|for)\b[^.:\n$]{0,80}?[ \t])?(?:is|are)\b[ \t]{0,4}:?"
    r"|answers?[*_]{0,3}[ \t]{0,4}:"
    r")",
    re.IGNORECASE,
)
_LEAD = re.compile(r"[\s*_:>]+")
_DISPLAY = ((r"\[", r"\]"), ("$$", "$$"))
# A period followed by a digit or letter is a decimal point or an abbreviation, not an end.
_SENTENCE_END = re.compile(r"\.(?=$|[\s*_\"')])|\n|,?\s(?:because|since)\s")
_PHRASE_REACH = 4000

_GSM8K = re.compile(r"^####[ \t]*(\S.*)", re.MULTILINE)
_GSM8K_NUMBER = re.compile(r"[-+]?[$€£¥]?[0-9][0-9,./]*[ \t]*%?")

_NUMBER = re.compile(
    r"(?:(?<![\w)}.])[-+\u2212])?[$€£¥]?(?:"
    r"\\[dt]?frac\{[-+]?[0-9]+\}\{[-+]?[0-9]+\}"
    r"|(?:[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]{1,3}\b)?"
    r"(?:/[0-9]+)?"
    r"|\.[0-9]+"
    r")%?"
)


def extract(text: str, *, complete: bool = True) -> str | None:
    r"""Return the final answer of ``text`` as it is written there, None if there is none.

    Looks for the last ``\boxed{...}``, then the last "answer is" phrase, then a ``#### x`` line,
    then, if ``complete``, the last number: a chain cut by its length limit holds intermediate
    numbers only. What follows the last ``</think>`` is searched before the whole text. A box that
    is still open at the end of the text counts with what it holds so far. Takes time linear in
    the text and accepts any string.
    """
    in_all = last_box, last_phrase, last_gsm8k
    for part in parts(text):
        for find in (*in_all, last_number) if complete else in_all:
            found = find(part)
            if found is not None:
                return found
    return None


def parts(text: str) -> tuple[str, ...]:
    """Return the parts of a chain in the order in which to search them for its answer.

    What follows the last ``</think>``, if there is one, then everything.
    """
    _, mark, conclusion = text.rpartition(_THINK_END)
    return (conclusion, text) if mark else (text,)


def last_box(text: str) -> str | None:
    """Return the content of the box that opens last, among those that hold something."""
    best: tuple[int, int | None] | None = None
    for start, end, first in _boxes(text):
        # A box that starts with another one is represented by the inner one: looking no further
        # than there keeps deeply nested boxes linear.
        if text[start:first].strip():
            best = start, end
    if best is None:
        return None
    start, end = best
    return _open_content(text[start:]) if end is None else text[start:end].strip()


def _boxes(text: str) -> Iterator[tuple[int, int | None, int]]:
    """Yield (content start, content end or None if unclosed, end of its box-free beginning).

    In the order in which the boxes open.
    """
    stack: list[int | None] = []
    heads: list[int] = []
    closed: list[tuple[int, int | None]] = []
    for token in _BOX_TOKEN.finditer(text):
        head, operand = token[0].startswith((r"\b", r"\f")), token[1]
        if head:
            heads.append(token.start())
        if head and operand == "{":
            stack.append(token.end())
        elif head and operand:
            closed.append((token.start(1), token.end(1)))
        elif token[0] == "{":
            stack.append(None)
        elif token[0] == "}" and stack:
            start = stack.pop()
            if start is not None:
                closed.append((start, token.start()))
    # Only the last unclosed box can be the chain's unfinished answer.
    opened = next((start for start in reversed(stack) if start is not None), None)
    closed.extend([(opened, None)] if opened is not None else [])
    closed.sort(key=lambda span: span[0])
    position = 0
    for start, end in closed:
        while position < len(heads) and heads[position] < start:
            position += 1
        limit = len(text) if end is None else end
        yield start, end, min(limit, heads[position] if position < len(heads) else limit)


def _open_content(tail: str) -> str:
    """Return the plausible content of a box whose brace never closes."""
    tail = tail.strip()
    cut = _BOX_CUT.search(tail, 1)
    return (tail[: cut.start()] if cut else tail).strip()


def last_phrase(text: str) -> str | None:
    """Return what the last "answer is" phrase that says something says."""
    for match in reversed(list(_PHRASE.finditer(text))):
        # Without a bound on the sentence, text full of empty phrases would take quadratic time.
        answer = _sentence(text[match.end() : match.end() + _PHRASE_REACH])
        if answer:
            return answer
    return None


def _sentence(tail: str) -> str:
    lead = _LEAD.match(tail)
    tail = tail[lead.end() :] if lead else tail
    for opening, closing in _DISPLAY:
        if tail.startswith(opening):
            end = tail.find(closing, len(opening))
            if end > 0:
                return tail[len(opening) : end].strip()
    end_of_sentence = _SENTENCE_END.search(tail)
    return _bare(tail[: end_of_sentence.start()] if end_of_sentence else tail)


def _bare(text: str) -> str:
    """Return the text without blanks and emphasis marks around it."""
    left = next((i for i, mark in enumerate(text) if not _is_edge(mark)), len(text))
    right = next((i for i, mark in enumerate(reversed(text)) if not _is_edge(mark)), 0)
    return text[left : len(text) - right]


def _is_edge(mark: str) -> bool:
    return mark in "*_" or mark.isspace()


def last_gsm8k(text: str) -> str | None:
    """Return the last ``####`` line that is an answer, not a Markdown heading."""
    found = None
    for match in _GSM8K.finditer(text):
        content = match[1].strip()
        if _GSM8K_NUMBER.fullmatch(content) or not text[match.end() :].strip():
            found = content
    return found


def last_number(text: str) -> str | None:
    """Return the last number, with its currency or percent sign."""
    found = None
    for match in _NUMBER.finditer(text):
        found = match[0]
    return found
