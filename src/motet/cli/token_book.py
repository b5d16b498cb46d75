"""The conversations of this user and their tokens: whoever has a token may go on with its session.

So the file is readable by its owner alone. Servers keep no tokens, only what matches them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from motet.errors import JournalError
from motet.tui.venue import Kept

_VERSION = 1
_BUSY_S = 5.0
_TABLE = """
    CREATE TABLE kept (
        venue TEXT NOT NULL, session_id TEXT NOT NULL, token TEXT NOT NULL, title TEXT NOT NULL,
        model TEXT NOT NULL, changed_s REAL NOT NULL, num_rows INTEGER,
        PRIMARY KEY (venue, session_id)
    ) STRICT"""


class TokenBook:
    """The file `path`, made when it is first written. Any number of processes may use it.

    venue: where a session lives, a server's address or a journal's path. JournalError if the file
    can't be used.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def all(self, venue: str) -> tuple[Kept, ...]:
        """The conversations of one place, newest first."""
        question = """
            SELECT session_id, token, title, model, changed_s, num_rows FROM kept
            WHERE venue = ? ORDER BY changed_s DESC"""
        if not self._path.exists():
            return ()
        with self._open() as file:
            return tuple(Kept(*row) for row in file.execute(question, (venue,)))

    def keep(self, venue: str, kept: Kept) -> None:
        """Add a conversation, or change what is known of it."""
        values = (
            venue, kept.session_id, kept.token, kept.title, kept.model, kept.changed_s,
            kept.num_rows,
        )  # fmt: skip
        with self._open() as file:
            file.execute("INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def forget(self, venue: str, session_id: str) -> None:
        """Take a conversation out, and its token out of the file."""
        with self._open() as file:
            file.execute("DELETE FROM kept WHERE venue = ? AND session_id = ?", (venue, session_id))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
            self._path.chmod(0o600)
            with closing(sqlite3.connect(self._path, timeout=_BUSY_S)) as file, file:
                file.execute("PRAGMA secure_delete = ON")
                self._prepare(file)
                yield file
        except (OSError, sqlite3.Error) as error:
            raise JournalError(str(self._path), expected="a list of tokens", got=error) from None

    def _prepare(self, file: sqlite3.Connection) -> None:
        file.execute("BEGIN IMMEDIATE")
        (version,) = file.execute("PRAGMA user_version").fetchone()
        if version == 0:
            file.execute(_TABLE)
            file.execute(f"PRAGMA user_version = {_VERSION}")
        elif version != _VERSION:
            raise JournalError(
                str(self._path), expected=f"version {_VERSION}", got=version,
                fix="use the Motet that wrote it",
            )  # fmt: skip
