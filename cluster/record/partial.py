"""A recording that is under way: a file to which finished questions are appended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from dynasor.replay.recording import Question, parse

FIRST = ("id", "dataset", "model", "level", "prompt", "gold", "prompt_tokens")
"""Fields that a line begins with; what was recorded follows."""


class Session(msgspec.Struct):
    """One run of the command.

    Attributes:
        settings: all that the recorded questions depend on; the same for all runs.
        environment: of this run, see `cluster.bench.reports.environment`.
        questions: how many it recorded.
    """

    settings: dict[str, Any]
    environment: dict[str, Any]
    questions: int = 0


class Partial:
    """Lines of finished questions, each run's after a line that says what the run was."""

    def __init__(self, path: Path) -> None:
        """Reads what is there; a last line that was not written whole is cut off.

        Raises:
            ValueError: the file is something else; names it.
            OSError: it can't be read or written.
        """
        self.path = path
        self.sessions: list[Session] = []
        self.done: dict[str, Question] = {}
        data = path.read_bytes() if path.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        try:
            for line in whole.splitlines():
                self._take(line)
        except (msgspec.DecodeError, ValueError) as error:
            raise ValueError(f"{path}: no recording under way: {error}") from None
        if len(whole) < len(data):
            os.truncate(path, len(whole))

    def begin(self, session: Session) -> None:
        """Append that a run begins.

        Raises:
            ValueError: earlier runs had other settings; says which.
            OSError: the file can't be written.
        """
        before = self.sessions[0].settings if self.sessions else session.settings
        for name in sorted({*before, *session.settings}):
            old, new = before.get(name), session.settings.get(name)
            if old != new:
                raise ValueError(
                    f"{self.path} was begun with {name} {old!r}, this is {new!r}; give the same, "
                    "or delete it to begin anew"
                )
        self.sessions.append(session)
        self._append(msgspec.json.encode(session))

    def add(self, question: Question) -> None:
        """Append a question that was recorded. Raises OSError."""
        self.done[question.id] = question
        self.sessions[-1].questions += 1
        self._append(line(question))

    def _take(self, text: bytes) -> None:
        if text.startswith(b'{"settings"'):
            self.sessions.append(msgspec.json.decode(text, type=Session))
            return
        if not self.sessions:
            raise ValueError("it does not say with which settings it was begun")
        (question,) = parse([text])
        self.done[question.id] = question
        self.sessions[-1].questions += 1

    def _append(self, text: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(text + b"\n")


def line(question: Question) -> bytes:
    """A question in the format of recordings, without a newline."""
    fields = msgspec.structs.asdict(question)
    return msgspec.json.encode({name: fields.pop(name) for name in FIRST} | fields)
