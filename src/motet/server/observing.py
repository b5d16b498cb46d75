"""Every request leaves one line in the log and one count in the metrics, under an id of its own."""

from __future__ import annotations

import asyncio
import secrets
import sys
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from motet.server.logs import log
from motet.server.metrics import METHODS, ServerMetrics

__all__ = ["REQUEST_ID_HEADER", "ObserveRequests"]

REQUEST_ID_HEADER = "x-request-id"
_POLLED = frozenset({"/health", "/metrics"})
_SWITCHED = 101
_REFUSED = 403
_FAILED = 500
_CLIENT_GONE = 499  # as nginx counts it: the client left before an answer


class ObserveRequests:
    """Middleware, to be the outermost: names requests, times them, logs and counts them.

    The id goes back as `x-request-id` and is in every record that is logged on the way.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or socket."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        status: int | None = None

        async def watch(message: Message) -> None:
            nonlocal status
            kind = message["type"]
            if kind in ("http.response.start", "websocket.http.response.start"):
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            elif kind == "websocket.accept":
                status = _SWITCHED
            elif kind == "websocket.close" and status is None:
                status = _REFUSED
            await send(message)

        started_s = time.perf_counter()
        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, watch)
            finally:
                error = sys.exception()
                if status is None:
                    has_left = error is None or isinstance(error, asyncio.CancelledError)
                    status = _CLIENT_GONE if has_left else _FAILED
                self._tell(scope, status, time.perf_counter() - started_s)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope.get("method", "GET")
        method = method if method in METHODS else "other"  # a client may make up words
        self._metrics.request(route, method, status, seconds)
        say = log.debug if route in _POLLED else log.info
        say("request", method=method, route=route, status=status, seconds=round(seconds, 4))
