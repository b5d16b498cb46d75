"""A live session: a client's events become orders, and what comes of them numbered events.

    receive(event) -> order -> decode thread -> letter -> hear(letter) -> story -> journal -> frames

All that it says it knows from letters, in their order, so its events are true at their row.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TYPE_CHECKING

from motet.errors import JournalError, MotetError, ProtocolError
from motet.protocol import client_events as client
from motet.protocol import server_events as server
from motet.protocol.client_events import ClientEvent
from motet.protocol.server_events import ServerEvent, read_server_event
from motet.server.decoding import Letter, Reply, SessionHandle, Update
from motet.server.decoding.messages import Close, Fork, Open, Order
from motet.server.errors import code_of
from motet.server.journal import Entry, Journal, SessionRecord
from motet.server.live.asking import order_of, text_of
from motet.server.live.cursor import Frames, Moment, Reason
from motet.server.live.log import EventLog
from motet.server.live.story import Story

if TYPE_CHECKING:
    from motet.server.live.hub import Hub

ARRIVAL_S = 10.0
"""Until somebody who is expected is there, nobody else gets the session's place."""


class LiveSession:
    """One live conversation, made by a `Hub`. One connection at a time has its frames.

    token: whoever has it may resume the session. left_s: since when nobody is connected, by the
    event loop's clock. has_failed: it is being put away, and can be resumed after that. is_lost:
    the journal has refused an event.
    """

    def __init__(
        self, hub: Hub, record: SessionRecord, token: str, journal: Journal, seq: int = 0
    ) -> None:
        """seq: the last event that the journal has of it."""
        layout = hub.decoding.engine.codec.layout
        events = EventLog(record.id, token, journal, seq)
        self.record = record
        self.token = token
        self.story = Story(
            record.id, layout, record.context_rows, record.context_policy, events, self._keep,
            hub.metrics,
        )  # fmt: skip
        self.on_open: Callable[[Reply], None] | None = None
        self.created: asyncio.Future[None] | None = None  # done when the journal has its record
        self._journal = journal
        self.is_new = True
        self.has_failed = False
        self.is_lost = False
        self.left_s = asyncio.get_running_loop().time()
        self._expected_until_s = 0.0
        self.handle: SessionHandle | None = None
        self._hub = hub
        self._frames: Frames | None = None
        self._asked: deque[tuple[ClientEvent, LiveSession | None]] = deque()
        self._num_measured = 0

    @property
    def seq(self) -> int:
        """The number of the last event that may be seen."""
        return self.story.log.published

    @property
    def row(self) -> int:
        """Rows so far."""
        return self.story.row

    @property
    def is_connected(self) -> bool:
        """Whether somebody has its frames."""
        return self._frames is not None

    @property
    def is_idle(self) -> bool:
        """Whether it can leave memory: it rests, and nobody is there or about to come."""
        is_expected = asyncio.get_running_loop().time() < self._expected_until_s
        return self.is_resting and not self.is_connected and not is_expected

    @property
    def is_resting(self) -> bool:
        """Whether it has nothing to decode, or may not."""
        story = self.story
        return story.is_paused or not (story.is_turning or story.inputs.is_waiting)

    def expect(self) -> None:
        """Somebody was told of it and will have its frames at once, unless the line breaks."""
        self._expected_until_s = asyncio.get_running_loop().time() + ARRIVAL_S

    def frames(self, after_seq: int) -> Frames:
        """JSON texts of its events after `after_seq`, for one connection; ends another one's.

        ProtocolError if there is no such event yet.
        """
        self.check_seq(after_seq)
        self.end("replaced")
        created = self._hub.greeting(self)
        self._frames = Frames(self.story.log, after_seq, created, self._left)
        self.is_new = False
        self._expected_until_s = 0.0
        return self._frames

    async def events(self, after_seq: int) -> AsyncIterator[ServerEvent]:
        """The same as objects."""
        with self.frames(after_seq) as frames:
            async for frame in frames:
                yield read_server_event(frame)

    def check_seq(self, after_seq: int) -> None:
        """ProtocolError for a number that no event has."""
        if not 0 <= after_seq <= self.seq:
            raise ProtocolError("after_seq", expected=f"0 to {self.seq}", got=after_seq)

    async def receive(self, event: ClientEvent) -> None:
        """Do what a client says; returns when it is done or refused, and said so."""
        try:
            await self._receive(event)
        except MotetError as error:
            self.refuse(error, event.event_id)
        if self._frames is not None:
            await self._frames.room()

    def tell(self, moment: Moment) -> None:
        """Send something of the moment, if somebody is connected."""
        if self._frames is not None:
            self._frames.tell(moment)

    def refuse(self, error: MotetError, event_id: str | None) -> None:
        """Tell that something was refused."""
        self.tell(
            server.ErrorEvent(
                seq=self.seq, row=self.row, code=code_of(error), message=str(error),
                event_id=event_id,
            )
        )  # fmt: skip

    def end(self, reason: Reason, *, at_once: bool = False) -> None:
        """End the connection that there is."""
        if self._frames is not None:
            closed = server.SessionClosed(seq=self.seq, row=self.row, reason=reason)
            self._frames.end(closed, at_once=at_once or reason in ("replaced", "deleted"))

    def beat(self, seconds: float, now: float) -> None:
        """Once in so many seconds: how it goes, or that the server is alive."""
        if self._frames is None:
            self._num_measured = self.row
            return
        story, decoding = self.story, self._hub.decoding
        if self.row != self._num_measured:
            num_rows, self._num_measured = self.row - self._num_measured, self.row
            self.tell(
                server.Metrics(
                    seq=self.seq, row=self.row, rows_per_s=round(max(0, num_rows) / seconds, 2),
                    ttft_s=story.ttft_s, context_used_rows=story.used_rows,
                    context_rows=story.context_rows, running=decoding.num_running,
                    waiting=decoding.num_waiting,
                )
            )  # fmt: skip
        elif now - self._frames.last_s >= self._hub.limits.heartbeat_s:
            self.tell(server.Heartbeat(seq=self.seq, row=self.row))

    def hear(self, letter: Letter) -> None:
        """Take in what comes from the decode thread."""
        if isinstance(letter, Update):
            self.story.hear_update(letter)
            if letter.error is not None:
                self.refuse(letter.error, None)
                self._hub.fail(self)
        elif isinstance(letter.order, Open):
            if letter.error is None and self.on_open is not None:
                self.on_open(letter)
        elif not isinstance(letter.order, Close):
            self._hear_reply(letter)

    def publish(self, entries: Sequence[Entry]) -> None:
        """The journal has these events: they may be seen."""
        self.story.log.publish(entries)
        if self._frames is not None:
            self._frames.wake()

    def lose(self, error: JournalError) -> None:
        """The journal does not take its events: nothing more can be shown."""
        self.is_lost = True
        self.refuse(error, None)
        self.end("error", at_once=True)
        self._hub.fail(self)

    def take_story(self, story: Story) -> None:
        """Go on from another session's story."""
        events = EventLog(self.record.id, self.token, self._journal, story.log.seq)
        self.story = story.copy(self.record.id, events, self._keep)
        self.is_new = False

    def _keep(self, entry: Entry) -> None:
        self._hub.keeper.add(self, entry)

    async def _receive(self, event: ClientEvent) -> None:
        if isinstance(event, client.Close):
            if event.delete:
                await self._hub.delete(self.record.id)
            else:
                self.end("client")
            return
        self._hub.check_open(event)
        assert self.handle is not None, "a session is received for only when it is open"
        if isinstance(event, client.Fork):
            twin = await self._hub.twin(self)
            assert twin.handle is not None
            order: Order = Fork(twin.handle.key)
        else:
            twin, order = None, order_of(event, self.story, self._hub.limits.max_text_bytes)
        try:
            done = self.handle.ask(order)
        except MotetError:
            if twin is not None and twin.handle is not None:
                twin.handle.cancel()
            raise
        self._asked.append((event, twin))
        await done

    def _hear_reply(self, reply: Reply) -> None:
        event, twin = self._asked.popleft()
        if reply.error is not None:
            self.refuse(reply.error, event.event_id)
            if twin is not None and twin.handle is not None:
                twin.handle.cancel()
        elif twin is not None:
            self._hub.adopt(twin, self)
        else:
            text = text_of(event)
            self.story.hear_reply(reply, text)
            if isinstance(event, client.InputAppend) and not self.record.title:
                self._hub.entitle(self, text)

    def _left(self, frames: Frames) -> None:
        if self._frames is frames:
            self._frames = None
            self.left_s = asyncio.get_running_loop().time()
