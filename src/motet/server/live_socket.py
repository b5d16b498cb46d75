"""`/v1/live`: one WebSocket, one session; frames in, frames out.

    reading   frames from the socket into a short inbox; full, it reads no more (TCP tells them)
    talking   the first event opens or resumes a session, then
      hearing   the inbox, event by event, into the session
      writing   the session's frames to the socket, as fast as the client takes them

A frame that is wrong is answered with an `error` event and the session goes on. The socket closes
when one of the two ends: 1000 as asked, 1001 the server stops, 1003 a binary frame, 1008 nothing
said in time, a flood, or only nonsense, 1009 a frame too big, 1013 no place, 4000 replaced.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from typing import Any

import pydantic_core
from fastapi import APIRouter
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from motet.errors import MotetError, ProtocolError, ServerFullError
from motet.protocol.client_events import (
    MAX_EVENT_ID,
    ClientEvent,
    SessionCreate,
    SessionResume,
    read_client_event,
)
from motet.protocol.server_events import (
    ErrorEvent,
    SessionClosed,
    SessionWaiting,
    read_server_event,
)
from motet.server.errors import code_of
from motet.server.limits_rate import TokenBucket
from motet.server.live import LiveSession
from motet.server.safety_keys import SUBPROTOCOL
from motet.server.state import ServerState

__all__ = ["live_router"]

_INBOX_FRAMES = 64
_BURST_S = 2.0
_MAX_NONSENSE = 100
_CLOSE_S = 5.0
_CODES = {"client": 1000, "deleted": 1000, "replaced": 4000, "shutdown": 1001, "error": 1011}


@dataclass
class _Closing(Exception):  # noqa: N818 - no error: how a conversation ends
    code: int
    reason: str = ""


def live_router(state: ServerState) -> APIRouter:
    """The route `/v1/live`."""
    router = APIRouter()

    @router.websocket("/v1/live")
    async def live(socket: WebSocket) -> None:
        await _LiveSocket(socket, state).run()

    return router


class _LiveSocket:
    """One open socket and what was said on it."""

    def __init__(self, socket: WebSocket, state: ServerState) -> None:
        self._socket = socket
        self._state = state
        self._inbox: asyncio.Queue[str] = asyncio.Queue(_INBOX_FRAMES)
        self._num_nonsense = 0

    async def run(self) -> None:
        """Serve the socket until one side closes it."""
        offered = self._socket.scope["subprotocols"]
        await self._socket.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
        metrics, was_closed = self._state.metrics, False
        metrics.connected()
        try:
            await _until_one_ends(self._read(), self._talk())
        except _Closing as closing:
            was_closed = True
            if not self._is_connected:
                return
            with contextlib.suppress(WebSocketDisconnect, TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._socket.close(closing.code, closing.reason)
        except WebSocketDisconnect:
            return
        finally:
            metrics.disconnected(was_closed=was_closed)

    @property
    def _is_connected(self) -> bool:
        """False once a send has found the line broken; whoever sends then gets an error."""
        return self._socket.application_state is WebSocketState.CONNECTED

    async def _read(self) -> None:
        rate = self._state.config.event_rate
        bucket = TokenBucket(rate, rate * _BURST_S)
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            if bucket.take():
                raise _Closing(1008, f"more than {rate:g} events a second")
            frame = message.get("text")
            if frame is None:
                raise _Closing(1003, "frames are JSON text")
            await self._inbox.put(frame)

    async def _talk(self) -> None:
        live, after_seq = await self._open()
        with live.frames(after_seq) as frames:
            await _until_one_ends(self._hear(live), self._write(frames))

    async def _open(self) -> tuple[LiveSession, int]:
        """The session that the first event asks for, and the last event of it that was seen."""
        wait_s = self._state.config.first_event_s
        while True:
            try:
                async with asyncio.timeout(wait_s):
                    event = await self._next_event(None)
            except TimeoutError:
                raise _Closing(1008, f"no session within {wait_s:g} s") from None
            try:
                if isinstance(event, SessionCreate):
                    return await self._waiting(event), 0
                if isinstance(event, SessionResume):
                    return await self._waiting(event), event.after_seq
                raise ProtocolError(
                    "first event", expected="session.create or session.resume", got=event.type
                )
            except MotetError as error:
                await self._refuse(error, event.event_id, None)
                if isinstance(error, ServerFullError):
                    raise _Closing(1013, "the server is full, try again later") from None
                if isinstance(event, SessionResume):
                    raise _Closing(1008, "no such session to resume") from None

    async def _waiting(self, event: SessionCreate | SessionResume) -> LiveSession:
        """Open the session; while it waits in line, tell the client where."""
        positions: asyncio.Queue[int] = asyncio.Queue()
        telling = asyncio.create_task(self._tell(positions))
        hub = self._state.hub
        try:
            if isinstance(event, SessionCreate):
                return await hub.create(event, on_waiting=positions.put_nowait)
            return await hub.resume(event.token, event.after_seq, on_waiting=positions.put_nowait)
        finally:
            telling.cancel()

    async def _tell(self, positions: asyncio.Queue[int]) -> None:
        while True:
            await self._send(SessionWaiting(seq=0, row=0, position=await positions.get()))

    async def _hear(self, live: LiveSession) -> None:
        """Hand every event to the session; the session says itself when that is over."""
        while True:
            await live.receive(await self._next_event(live))

    async def _write(self, frames: AsyncIterator[str]) -> None:
        frame = ""
        async for frame in frames:
            await self._send_text(frame)
        last = read_server_event(frame)
        assert isinstance(last, SessionClosed), last.type
        raise _Closing(_CODES[last.reason], last.reason)

    async def _next_event(self, live: LiveSession | None) -> ClientEvent:
        """The next event that is one; nonsense before it is answered with errors."""
        while True:
            frame = await self._inbox.get()
            try:
                event = read_client_event(frame)
            except ProtocolError as error:
                self._num_nonsense += 1
                await self._refuse(error, _event_id(frame), live)
                if self._num_nonsense >= _MAX_NONSENSE:
                    raise _Closing(1008, f"{_MAX_NONSENSE} frames that are no events") from None
            else:
                self._num_nonsense = 0
                return event

    async def _refuse(
        self, error: MotetError, event_id: str | None, live: LiveSession | None
    ) -> None:
        seq, row = (0, 0) if live is None else (live.seq, live.row)
        await self._send(
            ErrorEvent(seq=seq, row=row, code=code_of(error), message=str(error), event_id=event_id)
        )

    async def _send(self, event: ErrorEvent | SessionWaiting) -> None:
        await self._send_text(event.model_dump_json())

    async def _send_text(self, text: str) -> None:
        """Send a frame; WebSocketDisconnect if the line is broken, by whoever noticed it first."""
        if not self._is_connected:
            raise WebSocketDisconnect
        await self._socket.send_text(text)


async def _until_one_ends(*parts: Coroutine[Any, Any, None]) -> None:
    """Run `parts` until the first of them ends or fails; the others are cancelled."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _event_id(frame: str) -> str | None:
    """The `event_id` of a frame that is no event, so that its sender knows which one it was."""
    try:
        data = pydantic_core.from_json(frame)
    except ValueError:
        return None
    found = data.get("event_id") if isinstance(data, dict) else None
    return found if isinstance(found, str) and len(found) <= MAX_EVENT_ID else None
