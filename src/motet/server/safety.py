"""The doors of the server: what every request and every socket passes before anything else.

In this order: the URL and the headers are of a sane size, the `Host` is ours, no foreign web page
asks, the client does not come too often, it shows a key, and the server is not about to stop. A
refusal says which it was, with a status of its own. Answers get headers that keep browsers from
guessing, framing and caching.
"""

from __future__ import annotations

import math

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from motet.server.errors import ApiError, refusal_of
from motet.server.limits_rate import RateLimit, client_of
from motet.server.safety_keys import ApiKeys
from motet.server.safety_origin import is_known_host, is_own_origin
from motet.server.state import ServerState

__all__ = ["Doors"]

_SAFE = frozenset({"GET", "HEAD"})
_MAX_HEADERS = 64
_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Doors:
    """Middleware that lets in what may come in, and counts in the state what is inside."""

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self._app = app
        self._state = state
        self._keys = ApiKeys(state.config.api_keys)
        self._rate = RateLimit(state.config.rate)
        self._names = frozenset({*state.config.allow_hosts, state.config.host.lower()})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_safely(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.http.response.start"):
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            self._check(scope)
        except ApiError as error:
            await refusal_of(error)(scope, receive, send_safely)
            return
        self._state.num_inside += 1
        try:
            await self._app(scope, receive, send_safely)
        finally:
            self._state.num_inside -= 1

    def _check(self, scope: Scope) -> None:
        """ApiError if this request may not come in."""
        config = self._state.config
        headers = Headers(scope=scope)
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > config.max_url_bytes:
            raise ApiError(414, f"the URL has more than {config.max_url_bytes} bytes")
        num_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
        if num_bytes > config.max_header_bytes or len(scope["headers"]) > _MAX_HEADERS:
            raise ApiError(
                431, f"more than {_MAX_HEADERS} headers or {config.max_header_bytes} bytes of them"
            )
        if not is_known_host(headers.get("host", ""), self._names):
            raise ApiError(
                421, "this server is not known by that name; start it with --allow-host NAME",
                code="unknown_host",
            )  # fmt: skip
        is_socket = scope["type"] == "websocket"
        if (is_socket or scope["method"] not in _SAFE) and not is_own_origin(
            headers, config.allow_origins
        ):
            raise ApiError(
                403, "a page of another origin asks; start the server with --allow-origin ORIGIN",
                code="foreign_origin",
            )  # fmt: skip
        if scope["path"] == "/health":
            return
        client = scope.get("client")
        wait_s = self._rate.take(client_of(client[0] if client else ""))
        if wait_s:
            raise ApiError(
                429, f"more than {config.rate:g} requests a second",
                headers={"retry-after": str(math.ceil(wait_s))},
            )  # fmt: skip
        is_page = not is_socket and (scope["path"] == "/" or scope["path"].startswith("/page/"))
        if not is_page and not self._keys.admit(headers, scope.get("subprotocols", ())):
            raise ApiError(
                401, "an API key is needed, as Authorization: Bearer KEY",
                headers={"www-authenticate": "Bearer"},
            )  # fmt: skip
        if self._state.is_draining and (is_socket or scope["method"] not in _SAFE):
            raise ApiError(
                503, "the server is about to stop", code="draining",
                headers={"retry-after": str(math.ceil(config.drain_s) or 1)},
            )  # fmt: skip
