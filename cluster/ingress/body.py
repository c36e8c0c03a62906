"""Reads a request's JSON body, no more of it than allowed."""

from __future__ import annotations

from typing import Any

import msgspec
from starlette.requests import Request

from cluster.ingress.errors import body_too_large, invalid_json

_decoder = msgspec.json.Decoder()


async def read_document(request: Request, limit: int) -> dict[str, Any]:
    """The body as an object.

    Raises:
        ApiError: it has more than ``limit`` bytes (413), or is no JSON object (400).
    """
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length[:20]) > limit:
        raise body_too_large(limit)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            raise body_too_large(limit)
    try:
        document = _decoder.decode(bytes(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise invalid_json(f"is not valid JSON: {error}") from None
    except RecursionError:
        raise invalid_json("is nested too deeply") from None
    if not isinstance(document, dict):
        raise invalid_json(f"must be a JSON object, got {type(document).__name__}")
    return document
