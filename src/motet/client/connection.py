"""What a view needs of a connection: say something, hear what comes, leave.

`SocketConnection` speaks with a server; a command that has the model in its own process can offer
the same three methods without a socket.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from motet.protocol.client_events import ClientEvent
from motet.protocol.server_events import ServerEvent

__all__ = ["CONNECTED", "Connection", "ConnectionState", "Heard"]


@dataclass(frozen=True)
class ConnectionState:
    """The connection was lost, or is back. reason: one line; empty when it is back."""

    is_connected: bool
    reason: str = ""


CONNECTED = ConnectionState(is_connected=True)
Heard = ServerEvent | ConnectionState
"""What comes out of a connection: what the server says, and what becomes of the line."""


class Connection(Protocol):
    """One session, seen from a client. Iterating ends when the session's connection has ended."""

    async def send(self, event: ClientEvent) -> None:
        """Say something to the session; ServerError if the connection has ended."""

    def __aiter__(self) -> AsyncIterator[Heard]:
        """Everything that is heard, in order and once. One reader at a time."""

    async def close(self) -> None:
        """Leave; the session stays with the server and can be resumed with its token."""
