"""Everything that can go wrong at the door, as an OpenAI error body with the right status."""

from __future__ import annotations

import logging
import math
from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.responses import Response

from dynasor.errors import InvalidField

logger = logging.getLogger("ray.serve")

CLIENT_CLOSED_REQUEST = 499
"""Status of a request whose client is gone; nobody reads it, logs and metrics count it."""


class ApiError(Exception):
    """A request ends with this error.

    Attributes:
        status: HTTP status.
        message: words for the user; starts with the field's name where there is one.
        type: OpenAI's error class.
        param: dotted path of the field at fault.
        code: machine-readable reason.
        retry_after_s: when to try again; None: not said.
    """

    def __init__(
        self,
        status: int,
        message: str,
        type: str = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(status, message, type, param, code, retry_after_s)
        self.status = status
        self.message = message
        self.type = type
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

    def __str__(self) -> str:
        return self.message

    def body(self) -> dict[str, Any]:
        """The error as OpenAI clients expect it."""
        error = {
            "message": self.message,
            "type": self.type,
            "param": self.param,
            "code": self.code,
        }
        return {"error": error}

    def response(self) -> Response:
        """The HTTP response."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        body = msgspec.json.encode(self.body())
        return Response(body, self.status, headers, media_type="application/json")


class ContextLengthExceeded(InvalidField):
    """Prompt and completion together are longer than the model's context."""

    def __reduce__(self) -> tuple[type[InvalidField], tuple[str, str]]:
        return ContextLengthExceeded, (self.field, self.reason)


def invalid_json(reason: str) -> ApiError:
    """The body is no JSON object."""
    return ApiError(400, f"body: {reason}", code="invalid_json")


def body_too_large(limit: int) -> ApiError:
    """The body has more than ``limit`` bytes."""
    message = f"body: must have at most {limit} bytes (ingress.max_body_bytes)"
    return ApiError(413, message, code="body_too_large")


def model_not_found(name: str, known: list[str]) -> ApiError:
    """There is no model of that name."""
    message = f"model: {name!r:.60} does not exist; known: {', '.join(known)}"
    return ApiError(404, message, param="model", code="model_not_found")


def overloaded(message: str, retry_after_s: float) -> ApiError:
    """The cluster takes no more queries now."""
    return ApiError(429, message, "rate_limit_error", None, "overloaded", retry_after_s)


def unavailable(message: str) -> ApiError:
    """The cluster can't answer at all now."""
    return ApiError(503, message, "server_error", None, "unavailable", retry_after_s=1)


def generation_failed(message: str) -> ApiError:
    """The engines refused or failed every chain."""
    return ApiError(500, f"generation failed: {message}", "server_error", None, "engine_error")


def as_api_error(error: Exception) -> ApiError:
    """What to tell the user; an exception nobody expected is logged here, once, and not told."""
    match error:
        case ApiError():
            return error
        case ContextLengthExceeded():
            return ApiError(400, str(error), param=error.field, code="context_length_exceeded")
        case InvalidField():
            return ApiError(400, str(error), param=error.field, code="invalid_value")
        case HTTPException(status_code=status, detail=detail):
            return ApiError(status, detail, code=_HTTP_CODES.get(status))
    logger.error("unexpected error while serving a request", exc_info=error)
    message = "internal error; see the server's log"
    return ApiError(500, message, "server_error", None, "internal_error")


_HTTP_CODES = {404: "not_found", 405: "method_not_allowed"}
