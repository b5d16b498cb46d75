"""Hubs for tests: the real decode thread, the real journal, a scripted model, no socket."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from motet.engine import Engine
from motet.protocol.client_events import ClientEvent, SessionCreate
from motet.protocol.knobs import SettingsChange
from motet.protocol.server_events import Limits, Rows, ServerEvent, read_server_event
from motet.server.decoding import DecodeLoop
from motet.server.journal import Journal
from motet.server.live import Frames, Hub, LiveSession
from motet.server.metrics import ServerMetrics

PATIENCE_S = 30.0
OF_THE_MOMENT = {
    "session.created", "session.waiting", "session.closed", "heartbeat", "metrics", "going_away",
    "error",
}  # fmt: skip


@asynccontextmanager
async def serving(
    engine: Engine[Any],
    journal: Path | None = None,
    *,
    places: int = 8,
    waiting: int = 4,
    idle_s: float = 60.0,
    heartbeat_s: float = 60.0,
) -> AsyncIterator[Hub]:
    """A hub that runs; closed in the right order, with nothing left."""
    metrics = ServerMetrics(engine.codec.layout.names)
    decoding = DecodeLoop(engine, max_sessions=places, max_waiting=waiting, observe=metrics.step)
    kept = Journal(journal)
    limits = Limits(
        context_rows=engine.runtime.context_rows, max_frame_bytes=65536, max_text_bytes=4096,
        max_sessions=places, heartbeat_s=heartbeat_s,
    )  # fmt: skip
    hub = Hub(
        decoding, kept, limits,
        context_rows=400, context_policy="end", idle_s=idle_s, metrics=metrics,
    )  # fmt: skip
    decoding.start()
    hub.start()
    try:
        yield hub
    finally:
        await hub.close()
        assert decoding.line.num_taken == 0, "a place was not given back"
        decoding.close()
        kept.close()


def creation(**settings: Any) -> SessionCreate:
    """A session with small limits."""
    return SessionCreate(
        settings=SettingsChange(**{"max_rows": 200, "quiet_rows": 3, "mute_rows": 12, **settings})
    )


class Reader:
    """A connection: what it was sent, checked as it comes."""

    def __init__(self, live: LiveSession, after_seq: int = 0) -> None:
        self.live = live
        self.events: list[ServerEvent] = []
        self.frames: Frames = live.frames(after_seq)
        self._last_seq = after_seq

    async def until(self, found: str | Callable[[ServerEvent], bool]) -> ServerEvent:
        """Read up to an event of this type, or one that fits."""
        async with asyncio.timeout(PATIENCE_S):
            async for frame in self.frames:
                event = read_server_event(frame)
                self.events.append(event)
                if event.type not in OF_THE_MOMENT:
                    assert event.seq == self._last_seq + 1, f"{event.seq} after {self._last_seq}"
                    self._last_seq = event.seq
                elif event.type != "session.created":
                    assert event.seq == self._last_seq, f"{event.type} has {event.seq}"
                if event.type == found or (callable(found) and found(event)):
                    return event
        raise AssertionError(f"it ended before {found}")

    async def say(self, *events: ClientEvent) -> None:
        """Be heard."""
        for event in events:
            await self.live.receive(event)

    async def rest(self) -> list[ServerEvent]:
        """Read until the connection is ended."""
        async with asyncio.timeout(PATIENCE_S):
            async for frame in self.frames:
                self.events.append(read_server_event(frame))
        return self.events

    @property
    def numbered(self) -> list[ServerEvent]:
        return [event for event in self.events if event.type not in OF_THE_MOMENT]


def ids_of(events: list[ServerEvent]) -> list[tuple[int, ...]]:
    """Token ids of the rows that are left when rewinds are taken into account."""
    rows: list[tuple[int, ...]] = []
    for event in events:
        if isinstance(event, Rows):
            assert [frame.index for frame in event.rows] == list(
                range(len(rows), len(rows) + len(event.rows))
            )
            rows += [frame.ids for frame in event.rows]
            assert event.row == len(rows)
        elif event.type == "session.rewound":
            del rows[event.to_row :]
    return rows


def killed(journal: Path, copy: Path) -> Path:
    """The journal as a server that is killed now would leave it."""
    with closing(sqlite3.connect(journal)) as now, closing(sqlite3.connect(copy)) as then:
        now.backup(then)
    return copy
