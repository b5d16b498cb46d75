"""Where conversations happen: this process or a server. The terminal is the same for both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from motet.client import Connection
from motet.protocol.client_events import SessionCreate, SessionResume

__all__ = ["Kept", "Venue"]


@dataclass(frozen=True)
class Kept:
    """A conversation that can be reopened. changed_s: seconds since 1970. num_rows: if known."""

    session_id: str
    token: str
    title: str
    model: str
    changed_s: float
    num_rows: int | None = None


class Venue(Protocol):
    """What the terminal asks of a place. `notice`: a line to be shown once, empty if none."""

    name: str
    notice: str

    def connect(self, opening: SessionCreate | SessionResume) -> Connection:
        """A connection that opens when it is first read, and keeps what is said until then."""

    async def kept(self) -> tuple[Kept, ...]:
        """The conversations that can be reopened here, newest first; MotetError if unreadable."""

    async def keep(self, conversation: Kept) -> None:
        """Remember a conversation, or its new title; MotetError if it can't be written."""

    async def forget(self, conversation: Kept) -> None:
        """Delete a conversation for good."""

    async def close(self) -> None:
        """Let go of everything."""
