"""The body of a request before anything reads it: how large, how deep, how slow it may be."""

from __future__ import annotations

import asyncio
import re

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from motet.server.config import ServerConfig
from motet.server.errors import ApiError, refusal_of

__all__ = ["BodyLimit", "nesting"]

_BODY_S = 30.0
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*+"?|[\[{\]}]', re.DOTALL)


class BodyLimit:
    """Middleware: takes in the whole body, refuses what is too much, and hands it on as one."""

    def __init__(self, app: ASGIApp, config: ServerConfig) -> None:
        self._app = app
        self._config = config

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; what is no HTTP passes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(_BODY_S):
                body = await self._read(Headers(scope=scope), receive)
        except TimeoutError:
            error = ApiError(408, f"the body did not come within {_BODY_S:g} s", code="timeout")
            await refusal_of(error)(scope, receive, send)
            return
        except ApiError as error:
            await refusal_of(error)(scope, receive, send)
            return
        if body is None:  # the client has gone
            return
        was_read = False

        async def replay() -> Message:
            nonlocal was_read
            if was_read:
                return await receive()
            was_read = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app(scope, replay, send)

    async def _read(self, headers: Headers, receive: Receive) -> bytes | None:
        most = self._config.max_body_bytes
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared[:20]) > most:
            raise _too_large(most)
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            if len(body) > most:
                raise _too_large(most)
            if not message.get("more_body", False):
                break
        deepest = self._config.max_json_depth
        if body.count(b"[") + body.count(b"{") > deepest and nesting(bytes(body)) > deepest:
            raise ApiError(400, f"the body nests more than {deepest} deep", code="too_deep")
        return bytes(body)


def nesting(json: bytes) -> int:
    """How deep arrays and objects nest at the deepest place, outside of strings."""
    depth = deepest = 0
    for match in _STRUCTURE.finditer(json):
        sign = match[0][:1]
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest


def _too_large(most: int) -> ApiError:
    return ApiError(
        413, f"the body has more than {most} bytes", code="too_large",
        headers={"connection": "close"},
    )  # fmt: skip
