"""How long a connection may keep the server waiting, and how many there may be.

uvicorn's two protocols, each with three more rules: there are at most so many connections; the
head of a request comes within some seconds; a peer that takes nothing for two minutes, also after
its connection was closed, is gone. What waits to be sent is left to the kernel's buffers.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

import h11
from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from motet.server.config import ServerConfig
from motet.server.errors import refusal

__all__ = ["patient_protocols"]

STALL_S = 120.0


def patient_protocols(
    config: ServerConfig, stall_s: float = STALL_S
) -> tuple[type[H11Protocol], type[WebSocketsSansIOProtocol]]:
    """The protocols for HTTP and for sockets under the limits of `config`."""

    class PatientSocket(WebSocketsSansIOProtocol):
        _stall: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            self.transport.set_write_buffer_limits(0)

        async def send(self, message: ASGISendEvent) -> None:
            if self.close_sent and message["type"] in ("websocket.send", "websocket.close"):
                raise ClientDisconnected  # it was closed here, over a frame that is none
            await super().send(message)
            if message["type"] == "websocket.http.response.body":
                self.handshake_complete = True  # else uvicorn takes a refusal for an oversight

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stall = self.loop.call_later(stall_s, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            _cancel(self._stall)

        def connection_lost(self, exc: Exception | None) -> None:
            _cancel(self._stall)
            super().connection_lost(exc)

    class PatientHttp(H11Protocol):
        _stall: asyncio.TimerHandle | None = None
        _head: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(cast(asyncio.Transport, transport))
            self.transport.set_write_buffer_limits(0)
            if len(self.connections) > config.max_connections:
                self.transport.write(_too_many())
                self.transport.close()
            else:
                self._await_head()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
                self._await_head()
            else:
                _cancel(self._head)
                self._head = None

        def _await_head(self) -> None:
            if self._head is None:
                self._head = self.loop.call_later(config.first_event_s, self.transport.close)

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stall = self.loop.call_later(stall_s, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            _cancel(self._stall)

        def connection_lost(self, exc: Exception | None) -> None:
            _cancel(self._stall)
            _cancel(self._head)
            super().connection_lost(exc)

    return PatientHttp, PatientSocket


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()


def _too_many() -> bytes:
    answer = refusal(503, "too many connections", headers={"retry-after": "1"})
    lines: list[Any] = [f"{k.decode()}: {v.decode()}" for k, v in answer.raw_headers]
    head = "\r\n".join(["HTTP/1.1 503 Service Unavailable", "connection: close", *lines, "", ""])
    return head.encode() + bytes(answer.body)
