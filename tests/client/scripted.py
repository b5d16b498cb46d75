"""A small server that speaks the real messages and breaks lines as it is told.

It has one session, whose numbered events are given; what it is told it adds to them. Each line
that a client opens may have one fault, after so many events of the session on that line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus

from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from motet.protocol import client_events as client
from motet.protocol import server_events as server
from tests.client.legal import created, echo


class Kind(StrEnum):
    """What goes wrong."""

    NONE = "none"
    ABORT = "abort"  # the line breaks without a word
    CLOSE = "close"  # the server closes it
    TWICE = "twice"  # an event is sent again
    JUMP = "jump"  # an event is left out
    GARBAGE = "garbage"  # half a frame
    SHUTDOWN = "shutdown"  # going away, and closed
    REFUSE = "refuse"  # 503 instead of a socket
    BUSY = "busy"  # an error instead of the session
    DEAF = "deaf"  # what the client says is lost, then the line breaks
    MUTE = "mute"  # what the client says is taken, then the line breaks before an answer
    SILENT = "silent"  # nothing comes any more, not even a heartbeat


@dataclass(frozen=True)
class Fault:
    kind: Kind = Kind.NONE
    after: int = 0


@dataclass
class ScriptedServer:
    """heard: what clients said, without the opening. openings: how each line began."""

    events: list[server.ServerEvent] = field(default_factory=list)
    faults: Sequence[Fault] = ()
    heartbeat_s: float = 5.0
    openings: list[client.ClientEvent] = field(default_factory=list)
    heard: list[client.ClientEvent] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Serve on a free port; its URL."""
        async with serve(
            self._line, "127.0.0.1", 0, process_request=self._request, subprotocols=["motet.v1"]
        ) as running:
            self.port = running.sockets[0].getsockname()[1]
            yield f"http://127.0.0.1:{self.port}"

    @property
    def _fault(self) -> Fault:
        index = len(self.openings) - 1
        return self.faults[index] if index < len(self.faults) else Fault()

    def _request(self, socket: ServerConnection, request: Request) -> Response | None:
        self.keys.append(request.headers.get("Authorization"))
        index = len(self.openings)
        if index < len(self.faults) and self.faults[index].kind is Kind.REFUSE:
            self.openings.append(client.Close())
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "draining")
        return None

    async def _line(self, socket: ServerConnection) -> None:
        try:
            opening = client.read_client_event(await socket.recv())
            self.openings.append(opening)
            await self._serve(socket, opening, self._fault)
        except ConnectionClosed:
            pass

    async def _serve(
        self, socket: ServerConnection, opening: client.ClientEvent, fault: Fault
    ) -> None:
        if fault.kind is Kind.BUSY:
            await _put(socket, _error("server_full", "all places are taken"))
            return
        is_new = isinstance(opening, client.SessionCreate)
        if is_new:
            self.begin()
        seen = opening.after_seq if isinstance(opening, client.SessionResume) else 0
        row = self.events[-1].row if self.events else 0
        await _put(
            socket, created(len(self.events), row, is_new=is_new, heartbeat_s=self.heartbeat_s)
        )
        hearing = asyncio.create_task(self._hear(socket, fault))
        try:
            await self._tell(socket, seen, fault)
        finally:
            hearing.cancel()

    async def _tell(self, socket: ServerConnection, seen: int, fault: Fault) -> None:
        """All events after `seen`, those that are still to come too."""
        told = 0
        while socket.state is State.OPEN:
            while seen < len(self.events):
                if told == fault.after and fault.kind not in (Kind.NONE, Kind.DEAF, Kind.MUTE):
                    if await self._break(socket, seen, fault.kind):
                        return
                    if fault.kind is Kind.JUMP and seen + 1 < len(self.events):
                        seen += 1
                    told += 1
                    continue
                await _put(socket, self.events[seen])
                seen, told = seen + 1, told + 1
            await asyncio.sleep(0.001)

    async def _break(self, socket: ServerConnection, seen: int, kind: Kind) -> bool:
        """Do what is wrong; whether the line has ended."""
        match kind:
            case Kind.ABORT:
                socket.transport.abort()
            case Kind.CLOSE:
                await socket.close(1011, "oops")
            case Kind.TWICE:
                for event in self.events[max(0, seen - 2) : seen]:
                    await _put(socket, event)
                return False
            case Kind.JUMP:
                return False
            case Kind.GARBAGE:
                await socket.send(self.events[seen].model_dump_json()[:-3])
                return False
            case Kind.SHUTDOWN:
                await _put(socket, server.GoingAway(seq=seen, row=0, drain_s=0.1))
                await _put(socket, server.SessionClosed(seq=seen, row=0, reason="shutdown"))
            case Kind.SILENT:
                await socket.wait_closed()
        return True

    async def _hear(self, socket: ServerConnection, fault: Fault) -> None:
        num_heard = 0
        async for frame in socket:
            event = client.read_client_event(frame)
            is_lost = num_heard == fault.after and fault.kind in (Kind.DEAF, Kind.MUTE)
            num_heard += 1
            if isinstance(event, client.Close):
                reason = "deleted" if event.delete else "client"
                await _put(socket, server.SessionClosed(seq=len(self.events), row=0, reason=reason))
                await socket.close()
                return
            if is_lost:
                socket.transport.abort()
            if is_lost and fault.kind is Kind.DEAF:
                return
            self.heard.append(event)
            if isinstance(event, client.InputAppend) and event.text == "refuse me":
                await _put(socket, _error("input", "no", event.event_id))
            else:
                self.react(event)

    def begin(self) -> None:
        """A session is created; there is one, so it is the same."""

    def react(self, event: client.ClientEvent) -> None:
        """Add the events that follow from what the client said."""
        match event:
            case client.InputAppend() | client.Inject() | client.Interrupt():
                number = 1 + sum(isinstance(e, server.InputQueued) for e in self.events)
                self.add(
                    server.InputQueued, input_id=number, text=event.text or "", num_tokens=1,
                    channel="User", feed="live",
                )  # fmt: skip
            case client.Fork():
                self.add(server.SessionForked, session_id="s2", resume_token="copy")
            case client.Rewind():
                self.add(server.SessionRewound, to_row=event.row)
            case _:
                is_paused = isinstance(event, client.Pause)
                self.add(server.SessionUpdated, settings=echo(), is_paused=is_paused, is_held=False)

    def add(self, kind: type, **fields: object) -> None:
        """Add an event with the next number."""
        row = self.events[-1].row if self.events else 0
        self.events.append(kind(**{"seq": len(self.events) + 1, "row": row} | fields))


def _error(code: str, message: str, event_id: str | None = None) -> server.ErrorEvent:
    return server.ErrorEvent(seq=0, row=0, code=code, message=message, event_id=event_id)


async def _put(socket: ServerConnection, event: server.ServerEvent) -> None:
    await socket.send(event.model_dump_json())
