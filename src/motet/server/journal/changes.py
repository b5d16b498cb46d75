"""What can be changed in a journal; several changes are made in one transaction."""

from __future__ import annotations

import dataclasses
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeAlias

from motet.errors import JournalError
from motet.server.journal.record import Entry, SessionRecord, without_token

Change: TypeAlias = Callable[[sqlite3.Connection], None]

_CREATE = """
    INSERT INTO sessions (id, token_hash, model, layout_json, context_rows, context_policy,
                          created_s, title, is_open) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_COPY = """
    INSERT INTO events (session, seq, row, time_s, json)
    SELECT new.number, seq, row, time_s, json
    FROM events, sessions AS old, sessions AS new
    WHERE session = old.number AND old.id = ? AND new.id = ? AND seq <= ?"""
_APPEND = """
    INSERT INTO events (session, seq, row, time_s, json)
    SELECT number, ?, ?, ?, ? FROM sessions WHERE id = ?"""


def creation(record: SessionRecord) -> Change:
    """Begin a session; its id and its token must be new."""
    values = dataclasses.astuple(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(_CREATE, values)

    return change


def copying(source_id: str, last_seq: int, record: SessionRecord) -> Change:
    """Begin a session with the events of another one, up to its `last_seq`."""
    create = creation(record)

    def change(connection: sqlite3.Connection) -> None:
        _check_there(connection, source_id)
        create(connection)
        connection.execute(_COPY, (source_id, record.id, last_seq))

    return change


def appending(entries: Sequence[Entry]) -> Change:
    """Add events; their sessions must be there and their numbers new."""
    now_s = time.time()
    values = [(e.seq, e.row, now_s, without_token(e.json), e.session_id) for e in entries]

    def change(connection: sqlite3.Connection) -> None:
        if connection.executemany(_APPEND, values).rowcount < len(values):
            for session_id in {entry.session_id for entry in entries}:
                _check_there(connection, session_id)

    return change


def updating(session_id: str, *, title: str | None, is_open: bool | None) -> Change:
    """Change what is given of a session's record."""
    values = (title, is_open, session_id)

    def change(connection: sqlite3.Connection) -> None:
        _check_there(connection, session_id)
        connection.execute(
            "UPDATE sessions SET title = coalesce(?, title), is_open = coalesce(?, is_open)"
            " WHERE id = ?",
            values,
        )

    return change


def deletion(session_id: str) -> Change:
    """Forget a session and its events."""

    def change(connection: sqlite3.Connection) -> None:
        _check_there(connection, session_id)
        connection.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    return change


def _check_there(connection: sqlite3.Connection, session_id: str) -> None:
    found = connection.execute("SELECT 1 FROM sessions WHERE id = ?", (session_id,)).fetchone()
    if found is None:
        raise JournalError("session", expected="one that is in the journal", got=session_id)
