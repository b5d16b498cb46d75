"""The journal of a server: what its sessions said, kept before any client sees it.

One process writes; `Journal` can be called from any thread, and each call is one transaction that
is in the file when it returns (see `motet.server.journal.database` for what that is worth).
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from motet.errors import JournalError
from motet.server.journal.changes import Change, appending, copying, creation, deletion, updating
from motet.server.journal.database import BUSY_S, open_for_writing, open_in_memory, told
from motet.server.journal.lock import lock
from motet.server.journal.reader import JournalReader
from motet.server.journal.record import Entry, SessionRecord

CLEANING_S = 0.1


class Journal(JournalReader):
    """A journal in the file `path`, or in memory if that is None. JournalError if it can't be."""

    def __init__(self, path: Path | None) -> None:
        self._writing = threading.RLock()
        self._must_clean = False
        self._lock: sqlite3.Connection | None = None
        if path is None:
            self._path, self._is_closed = Path("in memory"), False
            self._writer = open_in_memory()
            return
        self._lock = lock(path)
        try:
            self._writer = open_for_writing(path)
            super().__init__(path)
        except JournalError:
            self._lock.close()
            raise

    def create(self, record: SessionRecord) -> None:
        """Begin a session; JournalError if its id or its token is taken."""
        self.commit([creation(record)])

    def copy(self, source_id: str, last_seq: int, record: SessionRecord) -> None:
        """Begin a session with the events of another one, up to its `last_seq`: a fork."""
        self.commit([copying(source_id, last_seq, record)])

    def append(self, entries: Sequence[Entry]) -> None:
        """Add events of any sessions, all or none.

        JournalError if a session is not in the journal, a number is taken, or the disk is full.
        """
        self.commit([appending(entries)])

    def update(
        self, session_id: str, *, title: str | None = None, is_open: bool | None = None
    ) -> None:
        """Change what is given; JournalError if there is no such session."""
        self.commit([updating(session_id, title=title, is_open=is_open)])

    def delete(self, session_id: str) -> None:
        """Forget a session and overwrite what it said; JournalError if there is no such session."""
        self.commit([deletion(session_id)])
        self.clean()

    def commit(self, changes: Sequence[Change]) -> None:
        """Make changes in one transaction: all of them, or none and JournalError."""
        with self._writing, told(str(self._path)):
            self._check_open()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                for change in changes:
                    change(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:  # a full disk may have ended it already
                    self._writer.execute("ROLLBACK")
                raise
            if self._must_clean:
                self.clean()

    def clean(self) -> None:
        """Take what deleted sessions said out of the write-ahead log too.

        A reader may be in the way for a moment; then the next commit tries again.
        """
        with self._writing, told(str(self._path)):
            self._writer.execute(f"PRAGMA busy_timeout = {CLEANING_S * 1000:.0f}")
            answer = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._writer.execute(f"PRAGMA busy_timeout = {BUSY_S * 1000:.0f}")
            self._must_clean = answer[0] != 0

    def close(self) -> None:
        """Write everything into the one file and let go of it. May be called twice."""
        with self._writing:
            if self._is_closed:
                return
            if self._lock is None:
                self._is_closed = True
                self._writer.close()
                return
            super().close()
            self._writer.close()
            self._lock.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._lock is None:
            with self._writing, told(str(self._path)):
                self._check_open()
                yield self._writer
        else:
            with super()._reading() as connection:
                yield connection
