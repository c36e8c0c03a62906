"""Value models on disk: loaded when a controller starts, saved while they learn."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from cluster.models import values_path
from cluster.settings import ControllerSettings
from dynasor.errors import InvalidField

Document = dict[str, Any]


class ValueFile:
    """The files that ``value_model`` and ``value_model_save`` of the settings name."""

    def __init__(self, settings: ControllerSettings) -> None:
        self._given = settings.value_model
        self._kept = settings.value_model_save
        self._saved = b""

    def load(self, learn: Callable[[Document], None]) -> None:
        """Give ``learn`` what a controller starts with, if there is something.

        Args:
            learn: raises ValueError if the document holds no value models.

        Raises:
            InvalidField: the file can't be read, or holds no value models.
        """
        if self._kept is not None and self._kept.exists():
            _load(self._kept, "controller.value_model_save", learn)
        elif self._given is not None:
            _load(values_path(self._given), "controller.value_model", learn)

    async def save(self, document: Document) -> None:
        """Keep the models, if there is a place for them and they have changed. The file is always
        whole. Raises OSError."""
        if self._kept is None:
            return
        content = msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"
        if content != self._saved:
            await asyncio.to_thread(_replace, self._kept, content)
            self._saved = content


def _load(path: Path, field: str, learn: Callable[[Document], None]) -> None:
    try:
        learn(msgspec.json.decode(path.read_bytes(), type=Document))
    except OSError as error:
        raise InvalidField(field, f"must be a file that can be read; {path}: {error}") from None
    except ValueError as error:
        raise InvalidField(field, f"must be a file of value models; {path}: {error}") from None


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
