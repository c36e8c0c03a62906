"""Value models of all families of programs: learned, looked up, kept as plain data."""

from __future__ import annotations

from typing import Any

from dynasor.value.episode import Episode


class ValueModels:
    """What traffic has taught, by family; a family that is new starts from what its likes do."""

    def learn(self, episode: Episode) -> None:
        """Take in a program that was run to its cap."""

    def document(self) -> dict[str, Any]:
        """All of it as plain data (JSON types)."""
        return {}

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> ValueModels:
        """The inverse of `document`. Raises ValueError if it is none."""
        return cls()
