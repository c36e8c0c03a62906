"""Says of a YAML file's part what is wrong with it, and what is allowed instead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from dynasor.errors import InvalidField, first_invalid


def refused(error: ValidationError, model: type[BaseModel], prefix: str) -> InvalidField:
    """What pydantic said of a document of this model, in one error; ``prefix``: the field that held
    the document. Unknown fields and kinds list those there are."""
    detail = error.errors(include_url=False)[0]
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        field = str(context["discriminator"]).strip("'")
        path = ".".join(map(str, (prefix, *detail["loc"], field)))
        tags = _tags(_within(model, detail["loc"]), field)
        given = f"got {context['tag']!r}" if "tag" in context else "is required"
        return InvalidField(path, f"must be one of {', '.join(sorted(tags))}; {given}")
    if kind == "extra_forbidden":
        held = _within(model, detail["loc"][:-1])
        return first_invalid(error, prefix, {name for one in held for name in one.model_fields})
    return first_invalid(error, prefix)


def _within(model: type[BaseModel], path: tuple[int | str, ...]) -> list[type[BaseModel]]:
    """Models that may be at a path, in which places in lists and kinds of unions are steps too."""
    held = [model]
    for step in path:
        fields = [one.model_fields[str(step)] for one in held if step in one.model_fields]
        if fields:
            held = [found for field in fields for found in _models(field.annotation)]
        elif isinstance(step, str):
            held = [one for one in held if step in _tags([one])] or held
    return held


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def _tags(models: list[type[BaseModel]], field: str | None = None) -> set[str]:
    """What these call themselves, in the field that tells them apart; None: in any."""
    return {
        str(tag)
        for one in models
        for name, info in one.model_fields.items()
        if field in (None, name)
        for tag in get_args(info.annotation)
        if isinstance(tag, str)
    }
