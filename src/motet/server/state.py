"""Everything one running server consists of, as one value that its routers share."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from motet.engine import Engine
from motet.server.config import ServerConfig
from motet.server.decoding import DecodeLoop
from motet.server.journal import Journal
from motet.server.live import Hub
from motet.server.metrics import ServerMetrics

__all__ = ["ServerState"]


@dataclass(eq=False)
class ServerState:
    """The parts of one server.

    decoding owns the engine from its own thread: a router reads only what never changes of it
    (`engine.name`, `engine.codec`, `engine.sampling`, `engine.runtime.context_rows`).
    is_draining: it has been told to stop; what runs may finish, nothing new begins. `start` and
    `close` are called in the event loop that it runs in.
    num_inside: requests not yet answered in full and open sockets.
    """

    config: ServerConfig
    engine: Engine[Any]
    decoding: DecodeLoop
    hub: Hub
    journal: Journal
    metrics: ServerMetrics
    is_draining: bool = False
    num_inside: int = 0
    is_closed: bool = False

    def start(self) -> None:
        """Begin to decode and to keep."""
        self.decoding.start()
        self.hub.start()

    async def close(self) -> None:
        """Write down what was said and end what runs; requests that wait for rows get an error."""
        if not self.is_closed:
            self.is_closed = True
            await self.hub.close()
            await asyncio.to_thread(self.decoding.close)
            await asyncio.to_thread(self.journal.close)
