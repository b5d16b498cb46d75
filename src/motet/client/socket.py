"""A connection to a server's live socket that comes back by itself.

A line that breaks is opened again with growing delays, the session is resumed with its token after
the last event that was seen, and what the server had not taken is said again. The reader is told
that the line was lost and is back, and hears every event once.

There is no task in the background: reading is what reconnects, and a slow reader slows only itself.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Iterator
from random import Random

from motet.client.address import live_url
from motet.client.connection import CONNECTED, ConnectionState, Heard
from motet.client.line import Line, LineLostError, open_line
from motet.client.order import Order
from motet.client.patience import Patience
from motet.client.refusals import LaterError, session_refusal
from motet.client.unanswered import Unanswered
from motet.errors import InputError, ProtocolError, ServerError
from motet.protocol.client_events import ClientEvent, Close, SessionCreate, SessionResume
from motet.protocol.server_events import (
    ErrorEvent,
    ServerEvent,
    SessionClosed,
    SessionCreated,
    SessionWaiting,
)  # fmt: skip

__all__ = ["SocketConnection"]

ANSWER_S = 15.0
"""How long a server may take to answer `session.create` or `session.resume`."""
SILENT_HEARTBEATS = 3
"""A line on which nothing came for so many heartbeats is dead."""


class SocketConnection:
    """One session of the server at `url`; opened by `open`, or by the first event that is read.

    opening: `session.create`, or `session.resume` for one that is there. Iterating raises
    ServerError when the server refuses, or stays away for longer than `patience` allows, and
    ProtocolError when it says twice what it can't say. It ends when the session was closed.
    """

    def __init__(
        self,
        url: str,
        opening: SessionCreate | SessionResume | None = None,
        *,
        api_key: str | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.url = live_url(url)
        self.session: SessionCreated | None = None
        self._opening = opening or SessionCreate()
        self._api_key = api_key
        self._patience = patience or Patience()
        self._order = Order(opening.after_seq if isinstance(opening, SessionResume) else 0)
        self._unanswered = Unanswered()
        self._unsaid: deque[ClientEvent] = deque()  # on this line
        self._saying = asyncio.Lock()
        self._event_ids = itertools.count(1)
        self._heard: deque[Heard] = deque()
        self._line: Line | None = None
        self._has_session = False  # on this line
        self._is_in_line = False  # of a full server
        self._is_current = False  # nothing of before this line is still to come
        self._faulty_seq: int | None = None
        self._lost_at = 0.0
        self._delays: Iterator[float] = iter(())
        self._is_over = False
        self._leaving = asyncio.Event()

    async def open(self) -> None:
        """Reach the server for the first time; ServerError if it is not there or refuses."""
        while self.session is None and not self._is_over:
            await self._go_on()

    async def send(self, event: ClientEvent) -> None:
        """Say something; while the line is lost it is kept, and said when the line is back.

        Raises InputError for an event that is larger than the server takes, and ServerError when
        the connection has ended.
        """
        if self._is_over:
            raise ServerError("connection", expected="an open one", got="one that has ended")
        if event.event_id is None:
            event = event.model_copy(update={"event_id": f"c{next(self._event_ids)}"})
        self._check_size(event)
        self._unanswered.say(event)
        self._unsaid.append(event)
        await self._say_all()

    def _check_size(self, event: ClientEvent) -> None:
        size = len(event.model_dump_json().encode())
        if self.session is not None and size > self.session.limits.max_frame_bytes:
            most = self.session.limits.max_frame_bytes
            raise InputError(event.type, expected=f"at most {most} bytes", got=size)

    def __aiter__(self) -> SocketConnection:
        """Everything that is heard, in order and once."""
        return self

    async def __anext__(self) -> Heard:
        """The next thing heard. May be cancelled without losing anything."""
        while not self._heard:
            if self._is_over:
                raise StopAsyncIteration
            await self._go_on()
        return self._heard.popleft()

    async def close(self, *, delete: bool = False) -> None:
        """Leave; with `delete` the server forgets the session too."""
        self._is_over = True
        self._leaving.set()
        line, self._line = self._line, None
        if line is not None:
            await line.leave(Close(delete=delete))

    def drop(self) -> None:
        """Leave at once, without a word, as a process that dies does."""
        self._is_over = True
        self._leaving.set()
        line, self._line = self._line, None
        if line is not None:
            line.drop()

    async def _go_on(self) -> None:
        """One step towards the next thing heard: reach the server, or hear one event."""
        if self._line is not None:
            await self._hear(self._line)
        elif self.session is None:
            self._begin(await open_line(self.url, self._api_key, self._opening))
        else:
            await self._come_back(self.session)

    def _begin(self, line: Line) -> None:
        self._line = line
        self._has_session = self._is_in_line = self._is_current = False

    async def _come_back(self, session: SessionCreated) -> None:
        """Wait, longer each time, and try to resume; ServerError when patience ends."""
        try:
            await asyncio.wait_for(self._leaving.wait(), next(self._delays))
            return  # `close` was called
        except TimeoutError:
            pass
        resume = SessionResume(token=session.resume_token, after_seq=self._order.last_seq)
        try:
            self._begin(await open_line(self.url, self._api_key, resume))
        except LaterError:
            self._check_patience()

    def _check_patience(self) -> None:
        give_up_s = self._patience.give_up_s
        if give_up_s is not None and time.monotonic() - self._lost_at > give_up_s:
            raise ServerError(self.url, got=f"no answer for {give_up_s:.0f} s")

    async def _hear(self, line: Line) -> None:
        """Take in one event, or that the line is lost."""
        silence_s: float | None = None if self._is_in_line else ANSWER_S
        if self.session is not None and self._has_session:
            silence_s = SILENT_HEARTBEATS * self.session.limits.heartbeat_s
        try:
            self._take(await line.hear(silence_s))
        except LineLostError as lost:
            self._lose(line, str(lost))
        except LaterError as later:
            if self.session is None:
                line.drop()
                raise
            self._lose(line, str(later))
        except ProtocolError as fault:
            if self.session is None or self._faulty_seq == self._order.last_seq:
                line.drop()
                raise
            self._faulty_seq = self._order.last_seq  # what comes next may come better again
            self._lose(line, str(fault))
        else:
            await self._say_all()

    def _take(self, event: ServerEvent) -> None:
        """Pass on an event that is news."""
        if isinstance(event, SessionCreated):
            self._order.begin(event)
            if self.session is not None:
                self._heard.append(CONNECTED)
            self.session, self._has_session = event, True
        elif isinstance(event, ErrorEvent) and not self._has_session:
            raise session_refusal(self.url, event)
        elif not self._order.admits(event):
            return
        self._is_in_line = isinstance(event, SessionWaiting)
        self._is_over |= isinstance(event, SessionClosed) and event.reason != "shutdown"
        self._unanswered.hear(event)
        self._heard.append(event)
        is_behind = self.session is None or self._order.last_seq < self.session.seq
        if self._has_session and not self._is_current and not is_behind:
            self._is_current, self._unsaid = True, deque(self._unanswered.all())

    def _lose(self, line: Line, reason: str) -> None:
        """The line is gone; the next step tries to come back."""
        line.drop()
        if self._is_over:
            return
        self._line, self._is_current = None, False
        if self.session is None:
            raise ServerError(f"{self.url}: {reason}")
        if self._has_session:  # not only a try to come back
            self._has_session = False
            self._lost_at = time.monotonic()
            self._delays = self._patience.delays(Random())
            self._heard.append(ConnectionState(is_connected=False, reason=reason))
        else:
            self._check_patience()

    async def _say_all(self) -> None:
        """Say what has not been said on this line, in order."""
        async with self._saying:
            while self._is_current and self._unsaid and self._line is not None:
                event = self._unsaid[0]
                try:
                    await self._line.say(event)
                except LineLostError:  # the reader finds that out too, and comes back
                    return
                self._unanswered.left(event)
                if self._unsaid and self._unsaid[0] is event:  # not on a new line meanwhile
                    self._unsaid.popleft()
