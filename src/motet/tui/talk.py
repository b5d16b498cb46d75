"""One conversation while it goes on: what is said goes to the connection, what is heard is folded.

No widget is known here. A view is told that something changed, and looks at `conversation`.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from motet.client import Connection, Conversation, Heard, fold
from motet.errors import MotetError
from motet.protocol.client_events import ClientEvent

__all__ = ["Talk"]


class Talk:
    """A connection and what became of it. failure: why it ended, if it did not end well."""

    def __init__(self, connection: Connection) -> None:
        self.conversation = Conversation()
        self.failure: MotetError | None = None
        self.is_over = False
        self._connection = connection
        self._ids = itertools.count(1)

    async def listen(self, on_heard: Callable[[Heard], None]) -> None:
        """Hear everything until the connection ends; on_heard is called after each fold."""
        try:
            async for heard in self._connection:
                self.conversation = fold(self.conversation, heard)
                on_heard(heard)
        except MotetError as error:
            self.failure = error
        self.is_over = True

    async def say(self, event: ClientEvent) -> None:
        """Say something; ServerError if the connection has ended."""
        event = event.model_copy(update={"event_id": f"t{next(self._ids)}"})
        await self._connection.send(event)
        self.conversation = fold(self.conversation, event)

    async def leave(self) -> None:
        """Close the connection; the session can be resumed."""
        await self._connection.close()
