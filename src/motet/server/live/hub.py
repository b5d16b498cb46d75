"""All live sessions of a server: made, resumed, put away, deleted, drained.

A session leaves memory when it rests and nobody has been connected for a while, and comes back from
the journal when somebody resumes it; a server that was killed finds its sessions the same way.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
import time
import weakref
from collections.abc import Coroutine
from functools import partial
from typing import Any

from motet.errors import ServerError, SessionError, SettingError
from motet.protocol import client_events as client
from motet.protocol import server_events as server
from motet.protocol.client_events import ClientEvent, SessionCreate
from motet.protocol.server_events import Limits, SessionCreated
from motet.server.decoding import DecodeLoop, OnWaiting, OpenRequest, Reply
from motet.server.decoding.messages import ContextPolicy
from motet.server.journal import Journal, JournalWriter, SessionRecord, title_of, token_hash
from motet.server.live.asking import check_size
from motet.server.live.beginning import system_rows
from motet.server.live.greeting import greeting
from motet.server.live.keeper import Keeper
from motet.server.live.knobs import changed
from motet.server.live.past import Past, read_past
from motet.server.live.session import LiveSession
from motet.server.logs import log
from motet.server.metrics import ServerMetrics

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
        self._context_rows = context_rows
        self._policy = context_policy
        self._idle_s = idle_s
        self._layout = decoding.engine.codec.layout
        self._layout_json = json.dumps(self._layout.to_json())
        self._sessions: dict[str, LiveSession] = {}
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()

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
        engine, token = self.decoding.engine, secrets.token_urlsafe(24)
        system = event.system
        check_size(system or "", self.limits.max_text_bytes)
        record = self._record(token, self._rows_for(event), event.context_policy or self._policy)
        beginning = system_rows(system, engine.codec)
        live = LiveSession(self, record, token, self._journal)
        live.on_open = partial(self._begin, live, system)
        request = OpenRequest(
            settings=changed(engine.settings(), event.settings),
            context_rows=record.context_rows,
            beginning=beginning,
            pinned_rows=0 if beginning is None else len(beginning),
            policy=record.context_policy,
            pace=event.settings.pace or 0.0,
        )
        try:
            await self._open(live, request, on_waiting)
            await self.keeper.flush()
        except BaseException:
            if record.id in self._sessions:
                self._spawn(self._forget(record.id))
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
        live.left_s = asyncio.get_running_loop().time()
        live.check_seq(after_seq)
        return live

    async def delete(self, session_id: str) -> bool:
        """Forget a session and all that was said; False if there is none."""
        async with self._lock(session_id):
            if await asyncio.to_thread(self._journal.get, session_id) is None:
                return False
            live = self._sessions.get(session_id)
            if live is not None:
                live.end("deleted")
                await self._close(live)
            await self.keeper.change(lambda writer: writer.delete(session_id))
            log.info("session deleted", session_id=session_id)
            return True

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
        token, old = secrets.token_urlsafe(24), parent.record
        record = self._record(token, old.context_rows, old.context_policy, old.title)
        twin = LiveSession(self, record, token, self._journal)
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
        self._sessions[live.record.id] = live
        record = live.record
        self.keeper.change(lambda writer: writer.create(record))
        live.story.stand(reply.now)
        live.story.say_settings(system)

    def _go_on(self, live: LiveSession, past: Past, reply: Reply) -> None:
        assert reply.now is not None
        self._sessions[live.record.id] = live
        live.story.stand(reply.now)
        for input_id, taken in zip(past.unread, reply.taken, strict=True):
            live.story.inputs.put_back(input_id, taken)
        live.story.inputs.last_id = past.last_input_id

    async def _revive(
        self, record: SessionRecord, token: str, on_waiting: OnWaiting | None
    ) -> LiveSession:
        self._check_fits(record)
        engine = self.decoding.engine
        past = await asyncio.to_thread(read_past, self._journal, record.id, self._layout)
        live = LiveSession(self, record, token, self._journal, past.seq)
        live.is_new = False
        live.on_open = partial(self._go_on, live, past)
        beginning = system_rows(past.system, engine.codec)
        request = OpenRequest(
            settings=past.settings,
            context_rows=record.context_rows,
            beginning=beginning,
            pinned_rows=0 if beginning is None else len(beginning),
            policy=record.context_policy,
            pace=past.pace,
            kept=past.kept,
        )
        await self._open(live, request, on_waiting)
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

    async def _forget(self, session_id: str) -> None:
        await self.delete(session_id)

    async def _beat(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(BEAT_S)
            now = loop.time()
            if self.decoding.num_waiting:
                self._spawn(self._make_room())
            for live in list(self._sessions.values()):
                live.beat(BEAT_S, now)
                if live.is_idle and now - live.left_s >= self._idle_s:
                    self._spawn(self._put_away(live))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _lock(self, session_id: str) -> asyncio.Lock:
        return self._locks.setdefault(session_id, asyncio.Lock())

    def _record(
        self, token: str, context_rows: int, policy: ContextPolicy, title: str = ""
    ) -> SessionRecord:
        return SessionRecord(
            id=secrets.token_hex(8), token_hash=token_hash(token), model=self.decoding.engine.name,
            layout_json=self._layout_json, context_rows=context_rows, context_policy=policy,
            created_s=time.time(), title=title,
        )  # fmt: skip

    def _rows_for(self, event: SessionCreate) -> int:
        most = self.limits.context_rows
        if event.context_rows is None:
            return min(self._context_rows, most)
        if event.context_rows > most:
            raise SettingError("context_rows", expected=f"at most {most}", got=event.context_rows)
        return event.context_rows

    def _check_serving(self) -> None:
        if self.is_draining:
            raise ServerError("session", expected="a server that goes on", got="one that stops")

    def _check_fits(self, record: SessionRecord) -> None:
        name = self.decoding.engine.name
        if record.model != name or record.layout_json != self._layout_json:
            raise SessionError(
                "resume", expected=f"a session of {name}", got=f"one of {record.model}",
                fix="start the server with that model",
            )  # fmt: skip
