"""A request's JSON document, checked and turned into a query. Every refusal names its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cluster.ingress.conversation import parse_messages
from cluster.ingress.fields import SAMPLING, relevant
from cluster.ingress.models import Models
from dynasor.algorithms import PLAIN
from dynasor.budget.effort import Effort
from dynasor.errors import InvalidField, first_invalid
from dynasor.query import ProgramSpec, Query, Sampling, parse_program

COMPLETION_MAX_TOKENS = 16
"""``max_tokens`` of a plain ``/v1/completions`` when none is given, as in OpenAI's API."""


class StreamOptions(BaseModel):
    """How a stream looks."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    include_usage: bool = False
    include_obfuscation: bool = Field(False, description="accepted, without effect")


class Body(BaseModel):
    """The fields that both endpoints share, apart from sampling."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str | None = None
    n: int = 1
    stream: bool = False
    stream_options: StreamOptions | None = None
    reasoning_effort: Effort | None = None
    program: dict[str, Any] | None = None


Decode = Callable[[tuple[int, ...]], str]


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was understood.

    Attributes:
        query: what to solve.
        model: the model's name as the client wrote it.
        token_ids: the prompt, where the client gave token ids.
        default_max_tokens: tokens of a chain if the query does not say and the context has room.
        stream: the response is a stream of events.
        include_usage: the stream ends with a usage event.
        program: the client asked for a program and is told about it.
    """

    query: Query
    model: str
    token_ids: tuple[int, ...] | None
    default_max_tokens: int | None
    stream: bool
    include_usage: bool
    program: bool


def parse_chat(document: Mapping[str, Any], models: Models) -> Ask:
    """Read the body of ``POST /v1/chat/completions``.

    Raises:
        InvalidField: naming the field and what is allowed there.
        ApiError: the model does not exist.
    """
    fields = relevant(document)
    limit = fields.pop("max_completion_tokens", None)
    if limit is not None and fields.setdefault("max_tokens", limit) != limit:
        raise InvalidField("max_tokens", "must equal max_completion_tokens if both are given")
    messages = parse_messages(fields.pop("messages", None))
    own = {"messages", "max_completion_tokens"}
    return _ask(fields, own, models, {"messages": messages}, None, None)


def parse_completion(document: Mapping[str, Any], models: Models, decode: Decode) -> Ask:
    """Read the body of ``POST /v1/completions``; ``decode`` turns token ids into text.

    Raises: as `parse_chat`.
    """
    fields = relevant(document)
    prompt, token_ids = _parse_prompt(fields.pop("prompt", None))
    if token_ids is not None:
        prompt = decode(token_ids)
    return _ask(fields, {"prompt"}, models, {"prompt": prompt}, token_ids, COMPLETION_MAX_TOKENS)


def _ask(
    fields: dict[str, Any],
    own: set[str],
    models: Models,
    prompt: dict[str, Any],
    token_ids: tuple[int, ...] | None,
    plain_max_tokens: int | None,
) -> Ask:
    sampling = _parse_sampling({name: fields.pop(name) for name in SAMPLING & fields.keys()})
    body = _validate(Body, fields, "", {*Body.model_fields, *SAMPLING, *own})
    if body.stream_options is not None and not body.stream:
        raise InvalidField("stream_options", "is allowed only with stream: true")
    model = models.base if body.model is None else body.model
    asked = models.algorithm(model)
    program = body.program is not None or asked is not None
    spec = _program(body, model, asked) if program else _plain(body.n)
    return Ask(
        query=_validate(Query, {**prompt, "program": spec, "sampling": sampling}, "", ()),
        model=model,
        token_ids=token_ids,
        # OpenAI's few tokens would cut every chain of a program long before its answer.
        default_max_tokens=None if program else plain_max_tokens,
        stream=body.stream,
        include_usage=body.stream_options is not None and body.stream_options.include_usage,
        program=program,
    )


def _plain(n: int) -> ProgramSpec:
    # With an empty path the parameter is named as the request names it: `n`. An effort changes
    # nothing here: all completions are wanted, and none of them can be left out.
    return parse_program({"algorithm": PLAIN, "n": n}, field="")


def _program(body: Body, model: str, asked: str | None) -> ProgramSpec:
    if body.n != 1:
        raise InvalidField("n", f"must be 1 with a program, which returns one answer; got {body.n}")
    document = {} if body.program is None else dict(body.program)
    if asked is not None and document.setdefault("algorithm", asked) != asked:
        reason = f"must be {asked!r} with model {model!r}, got {document['algorithm']!r:.60}"
        raise InvalidField("program.algorithm", reason)
    effort = body.reasoning_effort
    if effort is not None and document.get("effort") is None:
        document["effort"] = effort
    spec = parse_program(document)
    if effort is not None and spec.terms.effort != effort:
        reason = f"must equal program.effort ({spec.terms.effort!r}) if both are given"
        raise InvalidField("reasoning_effort", f"{reason}, got {effort!r}")
    return spec


def _parse_sampling(values: dict[str, Any]) -> Sampling:
    if isinstance(values.get("stop"), str):
        values["stop"] = (values["stop"],)
    for name, items in (("stop", "a string or a list of strings"), ("stop_token_ids", "a list")):
        value = values.get(name, ())
        if isinstance(value, list):
            values[name] = tuple(value)
        elif not isinstance(value, tuple):
            raise InvalidField(name, f"must be {items}, got {type(value).__name__}")
    try:
        return Sampling.model_validate(values, strict=True)
    except ValidationError as error:
        raise first_invalid(error, "", SAMPLING) from None


def _parse_prompt(value: Any) -> tuple[str | None, tuple[int, ...] | None]:
    """Text, or token ids."""
    if value is None:
        raise InvalidField("prompt", "is required")
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str | list):
        value = value[0]
    if isinstance(value, str):
        return value, None
    if not isinstance(value, list):
        reason = f"must be a string or a list of token ids, got {type(value).__name__}"
        raise InvalidField("prompt", reason)
    if not value:
        raise InvalidField("prompt", "must not be empty")
    if isinstance(value[0], str | list):
        raise InvalidField("prompt", f"one prompt a request is supported, got {len(value)}")
    for index, item in enumerate(value):
        if type(item) is not int:
            raise InvalidField(f"prompt.{index}", f"must be a token id, got {item!r:.60}")
    return None, tuple(value)


Checked = TypeVar("Checked", bound=BaseModel)


def _validate(
    model: type[Checked], values: Mapping[str, Any], prefix: str, allowed: Sequence[str] | set[str]
) -> Checked:
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise first_invalid(error, prefix, allowed) from None
