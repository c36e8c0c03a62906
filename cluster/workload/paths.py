"""Paths in a YAML file are relative to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

DIRECTORY = "directory"
"""Key of a validation's context: where relative paths begin; left out: the working directory."""


def _from_directory(path: Path, info: ValidationInfo) -> Path:
    return Path((info.context or {}).get(DIRECTORY, "")) / path.expanduser()


RelativePath = Annotated[Path, AfterValidator(_from_directory)]
"""``Model.model_validate(document, context={DIRECTORY: file.parent})``."""
