"""All live sessions of a server: made, resumed, put away, deleted, drained.

A session leaves memory when it rests and nobody has been connected for a while, and comes back from
the journal when somebody resumes it; a server that was killed finds its sessions the same way.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
import weakref
from collections.abc import Coroutine
from functools import partial
from typing import Any, TypeVar

from motet.errors import ServerError, SessionError
from motet.protocol import client_events as client
from motet.protocol import server_events as server
from motet.protocol.client_events import ClientEvent, SessionCreate
from motet.protocol.server_events import Limits, SessionCreated
from motet.server.decoding import DecodeLoop, OnWaiting, OpenRequest, Reply
from motet.server.decoding.messages import ContextPolicy
from motet.server.journal import Journal, JournalWriter, SessionRecord, title_of
from motet.server.live.greeting import greeting
from motet.server.live.keeper import Keeper
from motet.server.live.opening import Openings
from motet.server.live.past import Past, read_past
from motet.server.live.session import LiveSession
from motet.server.logs import log
from motet.server.metrics import ServerMetrics

Result = TypeVar("Result")

BEAT_S = 1.0
DRAIN_LOOK_S = 0.05
_BEGINS = (
    client.InputAppend, client.Interrupt, client.Inject, client.Continue, client.Step, client.Fork
)  # fmt: skip


class Hub:
    """Everything live. Made anywhere; `start` it in the running event loop.

    context_rows, context_policy: of a session that does not say. idle_s: how long a session that
    nobody is connected to stays in memory.
    """

    def __init__(
        self,
        decoding: DecodeLoop,
        journal: Journal,
        limits: Limits,
        *,
        context_rows: int,
        context_policy: ContextPolicy,
        idle_s: float,
        metrics: ServerMetrics,
    ) -> None:
        self.decoding = decoding
        self.limits = limits
        self.metrics = metrics
        self.is_draining = False
        self._journal = journal
        self._idle_s = idle_s
        self._layout = decoding.engine.codec.layout
        self._openings = Openings(decoding.engine, limits, context_rows, context_policy)
        self._sessions: dict[str, LiveSession] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self) -> None:
        """Begin to keep and to beat."""
        writer = JournalWriter(self._journal, self.metrics.journal_commit)
        self.keeper = Keeper(writer, self.metrics)
        self._spawn(self._beat())

    async def create(
        self, event: SessionCreate, *, on_waiting: OnWaiting | None = None
    ) -> LiveSession:
        """A new session, when there is a place for it; on_waiting is told its position in line.

        Raises the MotetError that it is refused with. Whoever is cancelled leaves nothing behind.
        """
        self._check_serving()
        token = secrets.token_urlsafe(24)
        record, request = self._openings.new(event, token)
        live = LiveSession(self, record, token, self._journal)
        live.on_open = partial(self._begin, live, event.system)
        try:
            await self._open(live, request, on_waiting)
            assert live.created is not None
            await live.created
            await self.keeper.flush()
        except BaseException:
            if record.id in self._sessions:
                self._spawn(self._delete(record.id))
            raise
        log.info("session opened", session_id=record.id)
        return live

    async def resume(
        self, token: str, after_seq: int, *, on_waiting: OnWaiting | None = None
    ) -> LiveSession:
        """The session of a token, from memory or from the journal, if it has an event after_seq."""
        self._check_serving()
        record = await asyncio.to_thread(self._journal.find, token)
        if record is None:
            raise SessionError("resume", expected="the token of a session", got="an unknown one")
        async with self._lock(record.id):
            live = self._sessions.get(record.id)
            if live is not None and live.has_failed:
                await self._close(live)
                live = None
            if live is None:
                live = await self._revive(record, token, on_waiting)
            live.expect()
        live.left_s = asyncio.get_running_loop().time()
        live.check_seq(after_seq)
        return live

    async def delete(self, session_id: str) -> bool:
        """Forget a session and all that was said; False if there is none.

        It is done even if whoever asked does not wait for it.
        """
        return await asyncio.shield(self._spawn(self._delete(session_id)))

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, let turns end for so long, and say goodbye to all connections."""
        self.is_draining = True
        loop = asyncio.get_running_loop()
        until_s = loop.time() + seconds
        for live in self._sessions.values():
            live.tell(server.GoingAway(seq=live.seq, row=live.row, drain_s=seconds))
        while loop.time() < until_s and not all(x.is_resting for x in self._sessions.values()):
            await asyncio.sleep(DRAIN_LOOK_S)
        await self.keeper.flush()
        for live in self._sessions.values():
            live.end("shutdown")

    async def close(self) -> None:
        """Close all sessions and write down what they have said."""
        self.is_draining = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for live in list(self._sessions.values()):
            live.end("shutdown")
            await self._close(live)
        await self.keeper.close()

    def greeting(self, live: LiveSession) -> SessionCreated:
        """The first thing a connection of this session is told."""
        name = self.decoding.engine.name
        return greeting(live.story, name, self._layout, self.limits, live.token, live.is_new)

    def check_open(self, event: ClientEvent) -> None:
        """ServerError if the event would begin something while the server stops."""
        is_stop = isinstance(event, client.Interrupt) and event.text is None
        if self.is_draining and isinstance(event, _BEGINS) and not is_stop:
            raise ServerError(event.type, expected="a server that goes on", got="one that stops")

    async def twin(self, parent: LiveSession) -> LiveSession:
        """A session in a place of its own that will be a copy of `parent`."""
        record, token = self._openings.twin(parent.record, parent.token)
        twin = LiveSession(self, record, token, self._journal)
        if self.decoding.line.is_full:
            await self._make_room()
        twin.handle = await self.decoding.place(twin.hear)
        return twin

    def adopt(self, twin: LiveSession, parent: LiveSession) -> None:
        """The copy was made: it begins with the events of its parent so far."""
        source_id, last_seq, record = parent.record.id, parent.story.log.seq, twin.record
        twin.take_story(parent.story)
        self._sessions[record.id] = twin
        self.keeper.change(lambda writer: writer.copy(source_id, last_seq, record))
        parent.story.say(server.SessionForked, session_id=record.id, resume_token=twin.token)

    def entitle(self, live: LiveSession, text: str) -> None:
        """Name a session after its first message."""
        session_id, title = live.record.id, title_of(text)
        live.record = dataclasses.replace(live.record, title=title)
        self.keeper.change(lambda writer: writer.update(session_id, title=title))

    def fail(self, live: LiveSession) -> None:
        """Put away a session that can't go on; it can be resumed as the journal has it."""
        if not live.has_failed:
            live.has_failed = True
            live.end("error")
            log.warning("session failed", session_id=live.record.id)
            self._spawn(self._put_away(live))

    def _begin(self, live: LiveSession, system: str | None, reply: Reply) -> None:
        assert reply.now is not None
        live.expect()  # or another newcomer would take its place before its client is there
        self._sessions[live.record.id] = live
        record = live.record
        live.created = self.keeper.change(lambda writer: writer.create(record))
        live.story.stand(reply.now)
        live.story.say_settings(system)

    def _go_on(self, live: LiveSession, past: Past, reply: Reply) -> None:
        assert reply.now is not None
        self._sessions[live.record.id] = live
        live.story.stand(reply.now)
        for input_id, taken in zip(past.unread, reply.taken, strict=True):
            live.story.inputs.put_back(input_id, taken)
        live.story.inputs.last_id = past.last_input_id
        if reply.now.is_turning:
            live.story.say_back(past.turn_s)

    async def _revive(
        self, record: SessionRecord, token: str, on_waiting: OnWaiting | None
    ) -> LiveSession:
        self._openings.check_fits(record)
        past = await asyncio.to_thread(read_past, self._journal, record.id, self._layout)
        live = LiveSession(self, record, token, self._journal, past.seq)
        live.is_new = False
        live.on_open = partial(self._go_on, live, past)
        request = self._openings.again(record, past)
        await self._open(live, request, on_waiting)
        await self.keeper.flush()
        log.info("session resumed", session_id=record.id, row=live.row)
        return live

    async def _open(
        self, live: LiveSession, request: OpenRequest, on_waiting: OnWaiting | None
    ) -> None:
        if self.decoding.line.is_full:
            await self._make_room()
        live.handle = await self.decoding.open(
            request, waits=True, on_waiting=on_waiting, listener=live.hear
        )

    async def _make_room(self) -> None:
        """Put away the session that nobody has been connected to for longest, if one rests."""
        idle = [live for live in self._sessions.values() if live.is_idle]
        if idle:
            await self._put_away(min(idle, key=lambda live: live.left_s))

    async def _put_away(self, live: LiveSession) -> None:
        async with self._lock(live.record.id):
            is_here = self._sessions.get(live.record.id) is live
            if is_here and (live.has_failed or live.is_idle):
                await self._close(live)

    async def _close(self, live: LiveSession) -> None:
        """Take a session out of memory; the journal has all of it then."""
        if live.handle is not None:
            await live.handle.close()
        await self.keeper.flush()
        self._sessions.pop(live.record.id, None)

    async def _delete(self, session_id: str) -> bool:
        async with self._lock(session_id):
            live = self._sessions.get(session_id)
            is_deleted = False
            try:
                if live is not None:
                    await self._close(live)
                if await asyncio.to_thread(self._journal.get, session_id) is None:
                    return False
                await self.keeper.change(lambda writer: writer.delete(session_id))
                is_deleted = True
            finally:
                if live is not None:
                    live.end("deleted" if is_deleted else "error")
            log.info("session deleted", session_id=session_id)
            return True

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._beat_once(asyncio.get_running_loop().time())

    def _beat_once(self, now: float) -> None:
        if self.decoding.num_waiting:
            self._spawn(self._make_room())
        for live in list(self._sessions.values()):
            live.beat(BEAT_S, now)
            if live.is_idle and now - live.left_s >= self._idle_s:
                self._spawn(self._put_away(live))

    def _spawn(self, work: Coroutine[Any, Any, Result]) -> asyncio.Task[Result]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _lock(self, session_id: str) -> asyncio.Lock:
        return self._locks.setdefault(session_id, asyncio.Lock())

    def _check_serving(self) -> None:
        if self.is_draining:
            raise ServerError("session", expected="a server that goes on", got="one that stops")
