"""Answers that are programs."""

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from dynasor.answers.extract import last_box, parts
from dynasor.answers.reading import Reading

_FENCE = re.compile(r"`{3,8}[ \t]{0,4}([\w+#.-]*)")
_NOT_CODE = frozenset(("text", "txt", "plaintext", "output", "console", "latex", "tex", "math"))
_KEY = re.compile(r"code:[0-9a-f]{32}")
_LONGEST = 20_000


class Block(NamedTuple):
    """A fenced block: the language it is marked with, its lines, and where it ends in the text."""

    language: str
    text: str
    end: int

    @property
    def is_code(self) -> bool:
        """Whether the mark says that this is a program."""
        return bool(self.language) and self.language not in _NOT_CODE


def last_block(text: str, *, complete: bool) -> Block | None:
    """Return the last fenced block that is marked as code, else the last one, if it is not empty.

    A block that never ends goes to the end of a complete text, and is none in another.
    """
    found = None
    for block in _blocks(text, complete):
        if block.text and (block.is_code or not (found and found.is_code)):
            found = block
    return found


def find(text: str, *, complete: bool) -> str | None:
    """Return the last fenced block, else the last box, else all of a complete conclusion."""
    for part in parts(text):
        block = last_block(part, complete=complete)
        found = block.text if block else last_box(part) or (_flush(part) if complete else None)
        if found:
            return found
    return None


def quick(answer: str) -> str | None:
    """Return ``answer`` if it is a key."""
    return answer if _KEY.fullmatch(answer) else None


def key(answer: str) -> str:
    """Return a digest of the Python program without its layout, comments and docstrings.

    What does not parse is keyed by its text.
    """
    if quick(answer):
        return answer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            form = ast.dump(_bare(ast.parse(_flush(answer))))
    except Exception:  # The parser raises almost anything on hostile text.
        return rough(answer)
    return _digest(form)


def rough(answer: str) -> str:
    """Return a digest of the stripped text."""
    return quick(answer) or _digest(_flush(answer))


def _blocks(text: str, complete: bool) -> Iterator[Block]:
    language, start, position = None, 0, 0
    for line in text.splitlines(keepends=True):
        fence = _FENCE.fullmatch(line.strip())
        begins, position = position, position + len(line)
        if fence is None:
            continue
        if language is not None:
            yield Block(language, _flush(text[start:begins]), position)
        # A mark behind the fence begins a block, even if the one before was never ended.
        opens = language is None or fence[1]
        language, start = (fence[1].lower() if opens else None), position
    if language is not None and complete:
        yield Block(language, _flush(text[start:]), len(text))


def _flush(text: str) -> str:
    """Return the lines without their common margin and empty ones around them."""
    return textwrap.dedent(text).strip()


def _bare(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return tree


def _digest(form: str) -> str:
    return f"code:{sha256(form.encode(errors='surrogatepass')).hexdigest()[:32]}"


CODE = Reading(find=find, quick=quick, key=key, rough=rough, longest=_LONGEST)
