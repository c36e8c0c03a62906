"""The messages of a chat request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynasor.errors import InvalidField
from dynasor.query import Message

ROLES = ("assistant", "developer", "system", "tool", "user")
_FIELDS = ("content", "name", "role")
_IGNORED = frozenset({"annotations", "name", "reasoning", "reasoning_content", "refusal"})
"""Fields that clients send back from earlier responses; templates don't show them."""


def parse_messages(value: Any) -> tuple[Message, ...]:
    """Read ``messages``. Raises InvalidField with the path of what is wrong."""
    if value is None:
        raise InvalidField("messages", "is required")
    if not isinstance(value, list):
        raise InvalidField("messages", f"must be a list of objects, got {type(value).__name__}")
    if not value:
        raise InvalidField("messages", "must not be empty")
    messages = tuple(_message(item, f"messages.{index}") for index, item in enumerate(value))
    if not any(message.content.strip() for message in messages):
        raise InvalidField("messages", "must hold some text, all contents are empty")
    return messages


def _message(value: Any, path: str) -> Message:
    if not isinstance(value, Mapping):
        raise InvalidField(path, f"must be an object, got {type(value).__name__}")
    role = value.get("role")
    if role not in ROLES:
        raise InvalidField(f"{path}.role", f"must be one of {', '.join(ROLES)}, got {role!r:.60}")
    for name, item in value.items():
        if name not in ("role", "content") and name not in _IGNORED and item not in (None, []):
            known = ", ".join(_FIELDS)
            raise InvalidField(f"{path}.{name}", f"is not supported; allowed: {known}")
    return Message(role=role, content=_content(value.get("content"), f"{path}.content"))


def _content(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        kind = type(value).__name__
        raise InvalidField(path, f"must be a string or a list of text parts, got {kind}")
    return "".join(_text(part, f"{path}.{index}") for index, part in enumerate(value))


def _text(part: Any, path: str) -> str:
    if not isinstance(part, Mapping):
        raise InvalidField(path, f"must be an object, got {type(part).__name__}")
    if part.get("type") != "text":
        raise InvalidField(f"{path}.type", f"must be 'text', got {part.get('type')!r:.60}")
    text = part.get("text")
    if not isinstance(text, str):
        raise InvalidField(f"{path}.text", f"must be a string, got {type(text).__name__}")
    return text
