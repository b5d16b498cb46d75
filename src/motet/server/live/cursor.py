"""What one connection is sent: numbered events in order, and between them those of the moment.

A cursor moves when its reader asks for the next frame. A slow one only moves later: what it has
not taken yet waits in the event log, which is bounded in memory and complete in the journal.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Literal, Self

from motet.protocol.server_events import (
    ErrorEvent,
    GoingAway,
    Heartbeat,
    Metrics,
    SessionClosed,
    SessionCreated,
)  # fmt: skip
from motet.server.live.log import EventLog

MAX_MOMENTS = 64

Moment = SessionCreated | Metrics | Heartbeat | GoingAway | ErrorEvent | SessionClosed
Reason = Literal["client", "deleted", "replaced", "shutdown", "error"]


class Frames:
    """An iterator over JSON texts; the first is `session.created`, the last `session.closed`.

    Use it in a `with`, so that the session knows when its reader has left. last_s: when a frame
    was taken last.
    """

    def __init__(
        self, log: EventLog, after_seq: int, created: SessionCreated, left: Callable[[Frames], None]
    ) -> None:
        self.last_s = asyncio.get_running_loop().time()
        self._log = log
        self._seq = after_seq
        self._left = left
        self._moments: deque[tuple[int, Moment]] = deque([(0, created)])
        self._fetched: deque[str] = deque()
        self._is_over = False
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        frame = await self._next()
        self.last_s = asyncio.get_running_loop().time()
        return frame

    def close(self) -> None:
        """The reader has left. May be called twice."""
        self._is_over = True
        self._moments.clear()
        self._room.set()
        self._news.set()
        self._left(self)

    def wake(self) -> None:
        """There is something new to be seen."""
        self._news.set()

    def tell(self, moment: Moment) -> None:
        """Send something of the moment, after the events that were made before it.

        Of metrics and heartbeats that nobody took only the newest is kept.
        """
        if isinstance(moment, Metrics | Heartbeat):
            self._moments = deque(m for m in self._moments if type(m[1]) is not type(moment))
        self._moments.append((self._log.seq, moment))
        if len(self._moments) >= MAX_MOMENTS:
            self._room.clear()
        self._news.set()

    def end(self, closed: SessionClosed, *, at_once: bool = False) -> None:
        """Send what there is, or of that only errors if it has to be at once, and this last."""
        if at_once:
            errors = [m for _, m in self._moments if isinstance(m, ErrorEvent)]
            self._moments = deque((0, error) for error in errors)
        self._moments.append((0 if at_once else self._log.seq, closed))
        self._news.set()

    async def room(self) -> None:
        """Wait while the reader has many answers to take before it may say more."""
        await self._room.wait()

    async def _next(self) -> str:
        while not self._is_over:
            if self._moments and self._moments[0][0] <= self._seq:
                return self._take_moment()
            if self._fetched:
                self._seq += 1
                return self._fetched.popleft()
            if self._seq < self._log.published:
                newer = self._log.newer(self._seq)
                self._fetched.extend(await self._log.fetch(self._seq) if newer is None else newer)
                continue
            self._news.clear()
            await self._news.wait()
        raise StopAsyncIteration

    def _take_moment(self) -> str:
        _, moment = self._moments.popleft()
        if len(self._moments) < MAX_MOMENTS:
            self._room.set()
        if isinstance(moment, SessionClosed):
            self.close()
        if not isinstance(moment, SessionCreated):
            moment = moment.model_copy(update={"seq": self._seq})
        return moment.model_dump_json()
