"""One server to a journal: a lock beside its file that dies with the process.

The lock is an empty SQLite database `<journal>.lock` in an exclusive transaction that never ends.
The operating system takes it back when the process dies, so a killed server blocks nobody.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from motet.errors import JournalError
from motet.server.journal.database import told


def lock(path: Path) -> sqlite3.Connection:
    """Lock the journal at `path` until the connection is closed; JournalError if it is locked."""
    beside = path.with_name(path.name + ".lock")
    with told(str(beside)):
        os.close(os.open(beside, os.O_RDWR | os.O_CREAT, 0o600))
        connection = sqlite3.connect(
            beside, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = MEMORY")  # no second file beside it
            connection.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            connection.close()
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise JournalError(
                str(path), expected="a journal that no other server uses", got="one in use",
                fix="stop that server, or use another file",
            ) from None  # fmt: skip
    return connection
