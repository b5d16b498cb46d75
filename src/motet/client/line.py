"""One WebSocket to a server: frames out and in, nothing remembered.

Whatever ends it comes out as LineLostError with the reason. ProtocolError: a frame that is no
event, or the server closed because of what it was sent.
"""

from __future__ import annotations

import asyncio

from pydantic import ValidationError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from motet.client.address import is_loopback
from motet.client.refusals import LaterError, handshake_refusal
from motet.errors import ProtocolError, ServerError
from motet.protocol.client_events import ClientEvent
from motet.protocol.server_events import ServerEvent, read_server_event

__all__ = ["Line", "LineLostError", "open_line"]

MAX_FRAME_BYTES = 32 << 20
SUBPROTOCOL = "motet.v1"
OPEN_S = 10.0
CLOSE_S = 2.0
_OUR_FAULT = (1002, 1003, 1007, 1008, 1009)  # close codes: what was sent can't be taken


class LineLostError(ServerError):
    """The line ended; the message says why."""


class Line:
    """An open socket. Made by `open_line`."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def say(self, event: ClientEvent) -> None:
        """Send one event; LineLostError if that is not possible any more."""
        try:
            await self._socket.send(event.model_dump_json())
        except ConnectionClosed as closed:
            raise LineLostError(_why(closed)) from None

    async def hear(self, silence_s: float | None) -> ServerEvent:
        """The next event; the line is dead if none comes for `silence_s` (None: wait for ever)."""
        try:
            async with asyncio.timeout(silence_s):
                frame = await self._socket.recv()
        except TimeoutError:
            self.drop()
            raise LineLostError(f"nothing came for {silence_s:.0f} s") from None
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code in _OUR_FAULT:
                raise ProtocolError(_why(closed)) from None
            raise LineLostError(_why(closed)) from None
        try:
            return read_server_event(frame)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise ProtocolError("frame", expected="a server event", got=first["msg"]) from None

    async def leave(self, event: ClientEvent) -> None:
        """Say one last thing, let the server close, and close."""
        try:
            await self._socket.send(event.model_dump_json())
            await asyncio.wait_for(self._socket.wait_closed(), CLOSE_S)
        except (ConnectionClosed, TimeoutError):
            pass
        finally:
            await self._socket.close()

    def drop(self) -> None:
        """End the line at once, without a word."""
        self._socket.transport.abort()


async def open_line(url: str, api_key: str | None, opening: ClientEvent) -> Line:
    """Reach the server at `url` (a WebSocket address) and say `opening`.

    Raises LaterError if nobody answers or the server is full, ServerError if it refuses.
    """
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    try:
        socket = await connect(
            url, additional_headers=headers, subprotocols=[Subprotocol(SUBPROTOCOL)],
            max_size=MAX_FRAME_BYTES, open_timeout=OPEN_S,
            close_timeout=CLOSE_S, ping_interval=None, compression=None,
            proxy=None if is_loopback(url) else True,
        )  # fmt: skip
    except InvalidStatus as refused:
        raise handshake_refusal(url, refused) from None
    except (OSError, TimeoutError, InvalidHandshake) as error:
        raise LaterError(
            url, expected="a Motet server", got=str(error) or "no answer in time",
            fix="is `motet serve` running there?",
        ) from None  # fmt: skip
    line = Line(socket)
    try:
        await line.say(opening)
    except LineLostError as lost:
        raise LaterError(f"{url}: {lost}") from None
    except BaseException:  # also a cancelled task: nobody else knows of this socket
        line.drop()
        raise
    return line


def _why(closed: ConnectionClosed) -> str:
    frame = closed.rcvd
    if frame is None:
        return "the line broke"
    return f"the server closed with {frame.code} {frame.reason}".rstrip()
