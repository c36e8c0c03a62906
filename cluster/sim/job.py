"""What a simulated engine is given to do, and what it says when that has ended."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Job(msgspec.Struct, frozen=True, gc=False):
    """One request to a simulated engine.

    Attributes:
        id: never used twice with an engine.
        context: token ids (>= 0) before what it generates; jobs of one program do best to share
            one tuple.
        limit: tokens to generate before it ends; 0: it ends when its context has been read, as a
            rating does.
        writes: the tokens that it will generate, in order, so that a later job that goes on from
            them finds them in the cache; those beyond its end are like no other job's.
    """

    id: int
    context: tuple[int, ...]
    limit: int
    writes: Sequence[int] = ()


class Done(msgspec.Struct, frozen=True, gc=False):
    """A job has ended.

    Attributes:
        at_s: when, in virtual time.
        generated: tokens that it generated.
        cached_tokens: of its context, that were found in the cache when it was first begun.
        aborted: it was taken back; the token of the step that ran then is lost.
    """

    id: int
    at_s: float
    generated: int
    cached_tokens: int
    aborted: bool
