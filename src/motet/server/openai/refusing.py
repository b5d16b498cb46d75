"""A route that names the field of a request which was refused, and why, in OpenAI's words."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute

from motet.server.errors import ApiError
from motet.server.openai.fields import REFUSED

__all__ = ["NamingRoute"]

_CODES = {
    REFUSED: "unsupported_parameter", "extra_forbidden": "unknown_parameter",
    "missing": "missing_required_parameter", "json_invalid": "invalid_json",
}  # fmt: skip
_TYPES = ("str", "int")
_BRANCHES = (*_TYPES, "message", "reasoning", "user", "system", "developer", "assistant")


class NamingRoute(APIRoute):
    """Turns a request that does not fit its model into an ApiError of status 400."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The usual handler with that around it."""
        handler = super().get_route_handler()

        async def naming(request: Request) -> Response:
            try:
                return await handler(request)
            except RequestValidationError as error:
                raise _named(error.errors()) from None

        return naming


def _named(errors: Sequence[Any]) -> ApiError:
    """What to say of several faults: the first, but a field that is unknown or refused before."""
    first = next((e for e in errors if e["type"] in (REFUSED, "extra_forbidden")), errors[0])
    kind = first["type"]
    param = None if kind == "json_invalid" else _param(first["loc"])
    said = {
        "extra_forbidden": "unknown field", "missing": "this field is required",
        "json_invalid": "the body is not JSON",
    }.get(kind, first["msg"])  # fmt: skip
    message = said if param is None else f"{param}: {said}"
    message = " ".join(message.encode("utf-8", "replace").decode("utf-8").split())[:500]
    return ApiError(400, message, code=_CODES.get(kind, "invalid_value"), param=param)


def _param(place: Sequence[str | int]) -> str | None:
    """`messages[0].content` from pydantic's path, without the branches of unions on it."""
    names = ""
    was_index = False
    for part in place[1:]:
        if isinstance(part, int):
            names += f"[{part}]"
        elif part.isidentifier() and part not in (_BRANCHES if was_index else _TYPES):
            names += f".{part}" if names else part
        was_index = isinstance(part, int)
    return names[:200] or None
