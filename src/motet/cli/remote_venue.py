"""A server as the place of conversations; their tokens are in the token book."""

from __future__ import annotations

import asyncio

from motet.cli.token_book import TokenBook
from motet.client import SocketConnection
from motet.client.address import http_url
from motet.protocol.client_events import SessionCreate, SessionResume
from motet.tui.venue import Kept


class RemoteVenue:
    """The server at `url`."""

    def __init__(self, url: str, api_key: str | None, book: TokenBook) -> None:
        self.name = http_url(url)
        self.notice = f"Asking {self.name} ..."
        self._api_key = api_key
        self._book = book

    @property
    def place(self) -> str:
        """What the token book calls this place."""
        return self.name

    def connect(self, opening: SessionCreate | SessionResume) -> SocketConnection:
        """A connection that opens when it is first read."""
        return SocketConnection(self.name, opening, api_key=self._api_key)

    async def kept(self) -> tuple[Kept, ...]:
        """The conversations that this user had there."""
        return await asyncio.to_thread(self._book.all, self.name)

    async def keep(self, conversation: Kept) -> None:
        """Remember a conversation."""
        await asyncio.to_thread(self._book.keep, self.name, conversation)

    async def forget(self, conversation: Kept) -> None:
        """Delete a conversation there and here; ServerError if the server does not know it."""
        connection = self.connect(SessionResume(token=conversation.token))
        try:
            await connection.open()
            await connection.close(delete=True)
        finally:
            await asyncio.to_thread(self._book.forget, self.name, conversation.session_id)

    async def close(self) -> None:
        """Nothing is held."""
