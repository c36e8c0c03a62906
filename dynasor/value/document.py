"""Value models as plain data, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec

from dynasor.value.counts import Counts, Summary
from dynasor.value.episode import Family
from dynasor.value.moments import TRUSTS, Loss, Tally

VERSION = 2

Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(ge=1)]
Amount = Annotated[float, msgspec.Meta(ge=0)]


class _Program(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """`Summary`."""

    votes: list[Positive]
    abstained: Natural
    cap: Natural


class _Tally(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """`Tally`, and the state and the units ahead that it is of."""

    share: int
    value: int
    evidence: int
    units: Natural
    moments: Amount
    agreed: Amount
    settled: Amount


class _Loss(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    """`Loss`."""

    cap: Natural
    changed: list[Annotated[int, msgspec.Meta(ge=0, le=1)]]


class _Family(msgspec.Struct, forbid_unknown_fields=True):
    """`Counts` of a family."""

    model: str
    algorithm: str
    tag: str
    runs: Natural
    units: Natural
    tokens: Natural
    longest: Natural
    programs: list[_Program]
    tallies: list[_Tally]
    losses: list[_Loss]


class _Document(msgspec.Struct, forbid_unknown_fields=True):
    version: int
    families: list[_Family]


def to_plain(families: Mapping[Family, Counts]) -> dict[str, Any]:
    """All that was learned, as JSON types. A family of which nothing is known is left out."""
    known = [_family(family, counts) for family, counts in families.items() if counts.units]
    plain: dict[str, Any] = msgspec.to_builtins(_Document(VERSION, known))
    return plain


def from_plain(document: Any) -> dict[Family, Counts]:
    """The inverse of `to_plain`. Raises ValueError, which says what is wrong and where."""
    version = document.get("version") if isinstance(document, dict) else None
    if version != VERSION:
        raise ValueError(f"value models: version must be {VERSION}, got {version!r:.60}")
    try:
        parsed = msgspec.convert(document, _Document)
    except msgspec.ValidationError as error:
        raise ValueError(f"value models: {error}") from None
    return {Family(one.model, one.algorithm, one.tag): _counts(one) for one in parsed.families}


def _family(family: Family, counts: Counts) -> _Family:
    moments = counts.of_moments
    return _Family(
        *family,
        counts.programs,
        counts.units,
        counts.tokens,
        moments.longest,
        [_Program(list(votes), *rest) for votes, *rest in counts.of_votes],
        [_Tally(*key[0], key[1], *tally) for key, tally in sorted(moments.tallies.items())],
        [_Loss(loss.cap, list(loss.changed)) for loss in moments.losses],
    )


def _counts(family: _Family) -> Counts:
    counts = Counts()
    counts.programs, counts.units, counts.tokens = family.runs, family.units, family.tokens
    counts.of_moments.longest = family.longest
    for place, program in enumerate(family.programs):
        if any(a < b for a, b in zip(program.votes, program.votes[1:], strict=False)):
            raise ValueError(f"value models: votes of programs[{place}] must descend")
        counts.of_votes.append(Summary(tuple(program.votes), program.abstained, program.cap))
    for one in family.tallies:
        key = (one.share, one.value, one.evidence), one.units
        counts.of_moments.tallies[key] = Tally(one.moments, one.agreed, one.settled)
    for loss in family.losses:
        if len(loss.changed) != len(TRUSTS):
            raise ValueError(f"value models: losses must be {len(TRUSTS)} numbers, got {loss}")
        counts.of_moments.losses.append(Loss(loss.cap, tuple(loss.changed)))
    return counts
