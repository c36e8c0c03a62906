"""Errors that name the field at fault, so that every shell can report them the same way."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError


class InvalidField(ValueError):
    """A value a caller gave is refused.

    Attributes:
        field: dotted path of the field, as the caller wrote it (``program.max_branches``).
        reason: what is allowed there and what was given.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}")
        self.field = field
        self.reason = reason

    def __reduce__(self) -> tuple[type[InvalidField], tuple[str, str]]:
        return InvalidField, (self.field, self.reason)


class Overloaded(RuntimeError):
    """The cluster can't take the query now; try again after ``retry_after_s``."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[type[Overloaded], tuple[str, float]]:
        return Overloaded, (self.reason, self.retry_after_s)


def first_invalid(error: ValidationError, prefix: str = "", allowed: Any = None) -> InvalidField:
    """Turn pydantic's report into the one error a user can act on.

    Args:
        error: what pydantic raised.
        prefix: path of the validated object in the caller's document, without a trailing dot.
        allowed: names to list when the fault is an unknown field.
    """
    detail = error.errors(include_url=False)[0]
    inner = detail.get("ctx", {}).get("error")
    if isinstance(inner, InvalidField):
        return inner
    path = ".".join(str(part) for part in (prefix, *detail["loc"]) if part != "")
    if detail["type"] == "extra_forbidden":
        known = f"; allowed: {', '.join(sorted(allowed))}" if allowed else ""
        return InvalidField(path, f"unknown field{known}")
    if detail["type"] == "missing":
        return InvalidField(path, "is required")
    reason = detail["msg"].removeprefix("Value error, ")
    reason = f"{reason[:1].lower()}{reason[1:]}, got {_short(detail['input'])}"
    return InvalidField(path or "body", reason)


def _short(value: Any, limit: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
