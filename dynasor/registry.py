"""Names to implementations: what a caller may ask for by name, with typed parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dynasor.errors import InvalidField, first_invalid


class Params(BaseModel):
    """Base of every parameter model: immutable, and an unknown field is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Registered(Protocol):
    """What a registry holds: a class with a name and a parameter model."""

    name: ClassVar[str]
    Params: ClassVar[type[Params]]


T = TypeVar("T", bound=type[Registered])


class Registry(Generic[T]):
    """Classes by name. ``kind`` is the word for them in messages ("algorithm", "policy")."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, entry: T) -> T:
        """Class decorator. Raises ValueError when the name is taken."""
        if entry.name in self._entries:
            raise ValueError(f"{self.kind} {entry.name!r} is registered twice")
        self._entries[entry.name] = entry
        return entry

    def get(self, name: Any, field: str) -> T:
        """The class of that name; ``field`` is where the caller wrote it. Raises InvalidField."""
        entry = self._entries.get(name) if isinstance(name, str) else None
        if entry is None:
            known = ", ".join(sorted(self._entries))
            raise InvalidField(field, f"unknown {self.kind} {name!r:.60}; known: {known}")
        return entry

    def parse(
        self,
        name: Any,
        params: Mapping[str, Any],
        field: str,
        prefix: str,
        also: Iterable[str] = (),
    ) -> Params:
        """Validate ``params`` for the entry ``name``.

        Args:
            field: path of the name in the caller's document.
            prefix: path of the object that holds the parameters.
            also: further field names allowed beside them, listed when one is unknown.

        Raises:
            InvalidField: unknown name, unknown parameter, or a value out of range.
        """
        model = self.get(name, field).Params
        try:
            return model.model_validate(dict(params))
        except ValidationError as error:
            raise first_invalid(error, prefix, {*model.model_fields, *also}) from None

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))
