"""Reading a journal: which sessions there are, and what happened in one of them.

Every question is one short read with a connection of its own, so that readers of any number and
in any thread or process neither wait for the writer nor hold it up.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from queue import Empty, LifoQueue
from typing import Any, Self

from motet.errors import JournalError
from motet.server.journal.database import open_for_reading, told
from motet.server.journal.record import Entry, SessionRecord, SessionSummary, token_hash

EVENTS_AT_ONCE = 1000
SESSIONS_AT_ONCE = 100

_FIELDS = (
    "id, token_hash, model, layout_json, context_rows, context_policy, created_s, title, is_open"
)
_LAST = "FROM events WHERE session = number ORDER BY seq DESC LIMIT 1"
_SUMMARY = f"""
    SELECT {_FIELDS}, (SELECT seq {_LAST}), (SELECT row {_LAST}), (SELECT time_s {_LAST})
    FROM sessions"""


class JournalReader:
    """A journal that is only read, also while a server writes it. Calls are thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: LifoQueue[sqlite3.Connection] = LifoQueue()
        self._idle.put(open_for_reading(path))
        self._is_closed = False

    def find(self, token: str) -> SessionRecord | None:
        """The session whose token this is."""
        return self._record("token_hash = ?", token_hash(token))

    def get(self, session_id: str) -> SessionRecord | None:
        """The session with this id."""
        return self._record("id = ?", session_id)

    def summary(self, session_id: str) -> SessionSummary | None:
        """The session with this id, as it is in a list."""
        with self._reading() as connection:
            row = connection.execute(f"{_SUMMARY} WHERE id = ?", (session_id,)).fetchone()
        return None if row is None else _summary(row)

    def sessions(
        self, limit: int = SESSIONS_AT_ONCE, after: str | None = None
    ) -> list[SessionSummary]:
        """At most `limit` sessions, the newest first; with `after`, those older than that one."""
        question = f"""{_SUMMARY}
            WHERE ?1 IS NULL OR number < (SELECT number FROM sessions WHERE id = ?1)
            ORDER BY number DESC LIMIT ?2"""
        with self._reading() as connection:
            return [_summary(row) for row in connection.execute(question, (after, limit))]

    def events(
        self, session_id: str, after_seq: int = 0, limit: int = EVENTS_AT_ONCE
    ) -> list[Entry]:
        """At most `limit` events with numbers above `after_seq`, in order; [] if there are none."""
        question = """
            SELECT seq, row, json, time_s FROM events
            WHERE session = (SELECT number FROM sessions WHERE id = ?) AND seq > ?
            ORDER BY seq LIMIT ?"""
        with self._reading() as connection:
            rows = connection.execute(question, (session_id, after_seq, limit)).fetchall()
        return [Entry(session_id, *row) for row in rows]

    def all_events(self, session_id: str) -> Iterator[Entry]:
        """All events that a session has by now, in order, read some at a time."""
        seq, last_seq = 0, self.last_seq(session_id)
        while seq < last_seq and (entries := self.events(session_id, seq)):
            yield from entries
            seq = entries[-1].seq

    def last_seq(self, session_id: str) -> int:
        """The number of a session's last event; 0 if it has none."""
        question = "SELECT max(seq) FROM events JOIN sessions ON number = session WHERE id = ?"
        with self._reading() as connection:
            (seq,) = connection.execute(question, (session_id,)).fetchone()
        return seq or 0

    def close(self) -> None:
        """Close all connections."""
        self._is_closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except Empty:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _record(self, condition: str, value: str) -> SessionRecord | None:
        with self._reading() as connection:
            question = f"SELECT {_FIELDS} FROM sessions WHERE {condition}"
            row = connection.execute(question, (value,)).fetchone()
        return None if row is None else _record(row)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._check_open()
        with told(str(self._path)):
            try:
                connection = self._idle.get_nowait()
            except Empty:
                connection = open_for_reading(self._path)
            try:
                yield connection
            finally:
                self._idle.put(connection)
                if self._is_closed:
                    JournalReader.close(self)

    def _check_open(self) -> None:
        if self._is_closed:
            raise JournalError(f"journal {self._path}", expected="an open one", got="a closed one")


def _record(row: tuple[Any, ...]) -> SessionRecord:
    return replace(SessionRecord(*row), is_open=bool(row[-1]))  # SQLite has no booleans


def _summary(row: tuple[Any, ...]) -> SessionSummary:
    *fields, seq, num_rows, changed_s = row
    record = _record(tuple(fields))
    return SessionSummary(record, seq or 0, num_rows or 0, changed_s or record.created_s)
