"""A session's past, read back from its events."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from motet.engine import Feed, Settings, StopReason
from motet.engine.marks import Marks
from motet.errors import JournalError
from motet.protocol import server_events as server
from motet.protocol.server_events import ServerEvent, read_server_event
from motet.server.decoding import Kept, Unread
from motet.server.journal import Entry, Journal
from motet.server.live.knobs import settings_of
from motet.streams.grid import TOKEN_DTYPE, Grid
from motet.streams.layout import Layout

_ROWS_MARK = '"type":"rows"'

EVENTS_AT_ONCE = 1000


@dataclass
class Past:
    """What the events of a session say of it, as far as they were read.

    unread: by id, texts that wait. last_input_id: the last one's. system: its system text. turn_s:
    seconds that the last turn has taken, without those when nobody served it.
    """

    layout: Layout
    seq: int = 0
    settings: Settings = field(default_factory=Settings)
    pace: float = 0.0
    system: str | None = None
    is_paused: bool = False
    stopped_by: StopReason | None = None
    last_input_id: int = 0
    unread: dict[int, Unread] = field(default_factory=dict)
    marks: Marks = field(default_factory=Marks)
    turn_s: float = 0.0
    _ids: list[list[int]] = field(default_factory=list)
    _given: list[list[bool]] = field(default_factory=list)
    _kept_s: float = 0.0

    def read(self, entries: Iterable[Entry]) -> None:
        """Read on; JournalError for an entry that is no event or is missing."""
        for entry in entries:
            if entry.seq != self.seq + 1:
                raise JournalError("event", expected=f"number {self.seq + 1}", got=entry.seq)
            self.seq = entry.seq
            if self.marks.turn_starts and self.stopped_by is None:
                self.turn_s += entry.time_s - self._kept_s
            self._kept_s = entry.time_s
            try:
                if _ROWS_MARK in entry.json[:64]:
                    self._hear_rows(json.loads(entry.json)["rows"])
                else:
                    self._hear(read_server_event(entry.json))
            except (ValueError, KeyError, TypeError) as error:
                raise JournalError(f"event {entry.seq}", got=type(error).__name__) from None

    @property
    def kept(self) -> Kept:
        """What the decode loop goes on from."""
        shape = (-1, self.layout.num_channels)
        grid = Grid(
            np.array(self._ids, TOKEN_DTYPE).reshape(shape),
            np.array(self._given, np.bool_).reshape(shape),
        )
        stopped_by = self.stopped_by if self.marks.turn_starts else None
        unread = tuple(self.unread.values())
        return Kept(grid, self.marks, stopped_by, unread, self.is_paused, self.turn_s)

    def _hear_rows(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            if row["index"] != len(self._ids):
                raise ValueError("rows out of order")
            self._ids.append(row["ids"])
            self._given.append([bool(given) for given in row["given"]])

    def _hear(self, event: ServerEvent) -> None:
        num_rows = len(self._ids)
        match event:
            case server.SessionUpdated():
                self._hear_settings(event)
            case server.InputQueued():
                self._hear_queued(event)
            case server.InputRead():
                self._hear_read(event)
            case server.InputCleared():
                for input_id in event.input_ids:
                    del self.unread[input_id]
            case server.TurnStarted():
                self.marks.turn_starts.append(event.from_row)
                self.stopped_by, self.turn_s = None, 0.0
            case server.TurnContinued():
                self.stopped_by = None
                if event.seconds is not None:
                    self.turn_s = event.seconds
                if event.counts_anew:
                    self.marks.interrupted_at = [
                        row for row in self.marks.interrupted_at if row != num_rows
                    ]
                    self.marks.continued_at.append(num_rows)
            case server.TurnEnded():
                self._hear_turn_end(event)
            case server.SessionRewound():
                self.marks = self.marks.cut(event.to_row)
                del self._ids[event.to_row :], self._given[event.to_row :]

    def _hear_settings(self, event: server.SessionUpdated) -> None:
        self.settings, self.pace = settings_of(event.settings), event.settings.pace
        self.is_paused = event.is_paused
        if self.seq == 1:
            self.system = event.system
        if event.is_held != self.marks.is_held:
            self.marks.change_hold(len(self._ids))

    def _hear_queued(self, event: server.InputQueued) -> None:
        channel = self.layout.index(event.channel)
        self.last_input_id = event.input_id
        self.unread[event.input_id] = Unread(
            channel, event.text, Feed(event.feed), event.num_tokens, 0
        )

    def _hear_read(self, event: server.InputRead) -> None:
        text = self.unread[event.input_id]
        rows = range(event.from_row, event.to_row + 1)
        if text.channel == self.layout.prompt_index:
            self.marks.read_at.extend(rows)
        if event.is_done:
            del self.unread[event.input_id]
        else:
            num_read = text.num_read + len(rows)
            self.unread[event.input_id] = dataclasses.replace(text, num_read=num_read)

    def _hear_turn_end(self, event: server.TurnEnded) -> None:
        self.turn_s = event.seconds
        if event.reason in ("interrupted", "error"):
            self.stopped_by = StopReason.INTERRUPTED
            self.marks.interrupted_at.append(len(self._ids))
        else:
            self.stopped_by = StopReason(event.reason)


def read_past(journal: Journal, session_id: str, layout: Layout) -> Past:
    """All that a journal has of a session."""
    past = Past(layout)
    while entries := journal.events(session_id, past.seq, EVENTS_AT_ONCE):
        past.read(entries)
    return past
