"""A connection to a session in this process: the hub's events and orders, without a socket."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from motet.client import Heard
from motet.errors import ServerError
from motet.protocol.client_events import ClientEvent, Close, SessionCreate, SessionResume

if TYPE_CHECKING:
    from motet.server.live import Hub, LiveSession


class LocalConnection:
    """One session of the hub that `hub` gives, when it is there.

    It opens when it is first read; what is said until then is kept and said in its order.
    """

    def __init__(
        self, hub: Callable[[], Awaitable[Hub]], opening: SessionCreate | SessionResume
    ) -> None:
        self._hub = hub
        self._opening = opening
        self._live: LiveSession | None = None
        self._unsaid: deque[ClientEvent] = deque()
        self._saying = asyncio.Lock()
        self._is_over = False

    async def send(self, event: ClientEvent) -> None:
        """Say something; ServerError if the connection has ended."""
        if self._is_over:
            raise ServerError("connection", expected="an open one", got="one that has ended")
        self._unsaid.append(event)
        await self._say_all()

    async def __aiter__(self) -> AsyncIterator[Heard]:
        """Everything that is heard, in order; ends with `session.closed`."""
        try:
            hub = await self._hub()
            if self._is_over:
                return
            after_seq = 0
            if isinstance(self._opening, SessionCreate):
                self._live = await hub.create(self._opening)
            else:
                after_seq = self._opening.after_seq
                self._live = await hub.resume(self._opening.token, after_seq)
            is_told = False
            async for event in self._live.events(after_seq):
                yield event
                if not is_told:
                    is_told = True
                    await self._say_all()
        finally:
            self._is_over = True

    async def close(self) -> None:
        """Leave; the session stays in the journal."""
        self._is_over = True
        if self._live is not None:
            await self._live.receive(Close())

    async def _say_all(self) -> None:
        async with self._saying:
            while self._unsaid and self._live is not None:
                await self._live.receive(self._unsaid.popleft())
