"""Everything that can happen to the core. A log of these, with their times, replays it."""

from __future__ import annotations

from typing import Any

import msgspec

from dynasor.messages import ReplicaInfo, Report
from dynasor.phrases import Phrases
from dynasor.query import Query


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    """A query arrives.

    Attributes:
        query_id: unique; made by the ingress.
        prompt: the query's prompt as token ids, rendered and tokenized.
        model: name of the served model.
        phrases: the model's, with those that the query overrides.
        injections: token ids of the phrases that may be injected, by name.
        sink: address of a user who wants to see it grow; None: nobody does.
        watched: progress reports are sent there too, besides the text of the branches shown.
    """

    query_id: str
    query: Query
    prompt: tuple[int, ...]
    model: str = ""
    phrases: Phrases = Phrases()
    injections: dict[str, tuple[int, ...]] = {}
    sink: str | None = None
    watched: bool = False


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    """The client of a query is gone. Unknown ids are no error: it may just have ended."""

    query_id: str


class Attach(msgspec.Struct, frozen=True, tag="attach"):
    """A replica is ready, with nothing running."""

    replica: str
    info: ReplicaInfo


class Detach(msgspec.Struct, frozen=True, tag="detach"):
    """A replica ends; what it runs goes elsewhere."""

    replica: str


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """A replica shows that it lives."""

    replica: str


class Reported(msgspec.Struct, frozen=True, tag="report"):
    """A replica's news."""

    replica: str
    report: Report


class Learned(msgspec.Struct, frozen=True, tag="learned"):
    """What traffic has taught before: value models as `ValueModels.document` gives them."""

    document: dict[str, Any]


class Tick(msgspec.Struct, frozen=True, tag="tick"):
    """Time has passed."""


Input = Submit | Cancel | Attach | Detach | Heard | Reported | Learned | Tick


def to_plain(value: Any) -> Any:
    """`msgspec` hook: queries and phrases are written in the form a caller would give them."""
    if isinstance(value, Query):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, Phrases):
        return value.model_dump(mode="json", exclude_unset=True)
    raise NotImplementedError(f"no plain form for {type(value).__name__}")


def from_plain(kind: type, value: Any) -> Any:
    """`msgspec` hook: the inverse of `to_plain`."""
    if kind is Query or kind is Phrases:
        return kind.model_validate(value)
    raise NotImplementedError(f"no {kind.__name__} from plain data")
