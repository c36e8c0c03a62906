"""Token ids in four bytes each: how they are kept and how they are sent. As Python integers they
would take tens of bytes and a visit each, at every step between an engine and a result."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

TOKEN_ID = "i"
"""Their type code in an array; all processes of a cluster have the same byte order."""

TOKEN_BYTES = array(TOKEN_ID).itemsize


def pack_tokens(ids: Iterable[int]) -> bytes:
    """Token ids as bytes. Raises OverflowError: one of them is not below 2 ** 31."""
    return array(TOKEN_ID, ids).tobytes()


def unpack_tokens(packed: bytes) -> tuple[int, ...]:
    """The token ids that were packed. Raises ValueError: a part of one is missing."""
    ids = array(TOKEN_ID)
    ids.frombytes(packed)
    return tuple(ids)
