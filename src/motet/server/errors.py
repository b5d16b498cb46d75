"""Errors over HTTP, in the shape that OpenAI clients read: `{"error": {"message", ...}}`.

Every refusal goes through `refusal`: of a route, of the doors before it, of a socket's handshake.
What a client sent is never repeated in it beyond what a message of Motet quotes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from motet.errors import ContextFullError, JournalError, MotetError, ServerError, ServerFullError

__all__ = [
    "RESPONSES", "ApiError", "ErrorBody", "ErrorDetail", "code_of", "handle_errors", "refusal",
    "refusal_of", "status_of",
]  # fmt: skip


class ErrorDetail(BaseModel):
    """What went wrong. param: the field of the request; code: a short name to test for."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every response that is an error."""

    error: ErrorDetail


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request was refused."},
    "5XX": {"model": ErrorBody, "description": "The server can't serve it, now or at all."},
}
_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
_CODES = {
    401: "invalid_api_key", 404: "not_found", 405: "method_not_allowed", 413: "too_large",
    429: "rate_limit_exceeded", 503: "unavailable",
}  # fmt: skip


class ApiError(ServerError):
    """A refusal with its HTTP status, for what the other errors do not say by their class."""

    def __init__(
        self, status: int, message: str, *, code: str | None = None, param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = dict(headers or {})


def status_of(error: MotetError) -> int:
    """The HTTP status that tells of `error`."""
    if isinstance(error, ApiError):
        return error.status
    if isinstance(error, ServerFullError):
        return 429
    if isinstance(error, JournalError):
        return 500
    return 503 if isinstance(error, ServerError) else 400


def code_of(error: MotetError) -> str:
    """A short name for `error`, in HTTP bodies and in `error` events."""
    if isinstance(error, ApiError):
        return error.code or _CODES.get(error.status, "invalid_request")
    if isinstance(error, ContextFullError):
        return "context_length_exceeded"
    name = type(error).__name__.removesuffix("Error")
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def refusal(
    status: int, message: str, *, code: str | None = None, param: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:  # fmt: skip
    """A response that is an error; to be sent in place of a socket's handshake, too."""
    usual = "invalid_request_error" if status < 500 else "server_error"
    detail = ErrorDetail(
        message=message, type=_TYPES.get(status, usual), param=param,
        code=_CODES.get(status) if code is None else code,
    )  # fmt: skip
    return JSONResponse(ErrorBody(error=detail).model_dump(), status, headers)


def handle_errors(app: FastAPI) -> None:
    """Let every error that leaves a route of `app` become a response of that shape."""
    app.add_exception_handler(MotetError, _motet)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(Exception, _bug)


def refusal_of(error: MotetError) -> Response:
    """The response that tells of `error`."""
    param, headers = None, dict[str, str]()
    if isinstance(error, ApiError):
        param, headers = error.param, error.headers
    elif isinstance(error, ServerFullError):
        headers = {"retry-after": str(math.ceil(error.retry_after_s))}
    elif isinstance(error, ServerError):
        headers = {"retry-after": "1"}
    return refusal(status_of(error), str(error), code=code_of(error), param=param, headers=headers)


async def _motet(_: Request, error: Exception) -> Response:
    assert isinstance(error, MotetError)
    return refusal_of(error)


async def _http(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error.status_code, str(error.detail), headers=error.headers)


async def _validation(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    param = ".".join(place[1:]) if len(place) > 1 else None
    message = first["msg"] if param is None else f"{param}: {first['msg']}"
    return refusal(400, _one_line(message), param=None if param is None else _one_line(param))


async def _bug(_: Request, __: Exception) -> Response:
    return refusal(500, "the server failed at this request; its log says how")


def _one_line(text: str) -> str:
    safe = text.encode("utf-8", "replace").decode("utf-8")
    return " ".join(safe.split())[:500]
