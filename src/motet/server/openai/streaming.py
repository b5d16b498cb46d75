"""Server-sent events, and what happens when nobody listens any more."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

__all__ = ["DONE", "STREAMED", "EventStream", "event", "gone", "unless_gone"]

DONE = b"data: [DONE]\n\n"
STREAMED: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
CLIENT_GONE = 499
ResultT = TypeVar("ResultT")


def event(data: dict[str, Any] | str, name: str | None = None) -> bytes:
    """One event; data: a JSON object or its text."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {text}\n\n".encode()


class EventStream(StreamingResponse):
    """Events as a response. on_end: called once when it is over, whoever ended it."""

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[bytes], on_end: Callable[[], None]) -> None:
        super().__init__(events, headers={"cache-control": "no-cache", "x-accel-buffering": "no"})
        self._on_end = on_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, until all is sent or the client has gone."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._on_end()


async def unless_gone(request: Request, work: Coroutine[Any, Any, ResultT]) -> ResultT | None:
    """What `work` returns; it is cancelled, and None returned, if the client goes away before."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_leaves(request))
    try:
        await asyncio.wait([working, leaving], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()


async def _leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def gone() -> Response:
    """What nobody will read."""
    return Response(status_code=CLIENT_GONE)
