"""The journal's file: an SQLite database of two tables, opened strictly.

WAL mode with synchronous=NORMAL: what was committed survives the death of the process (kill -9)
at any moment. A crash of the operating system or a power cut may lose the last moments, and
never more than them: the file stays whole. Readers do not wait for the writer, nor it for them.
What is deleted is overwritten (secure_delete), and its pages go back to the file system.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from motet.errors import JournalError

APPLICATION_ID = 0x4D6F7465  # "Mote": in the file's header, so that `file` and we can tell
SCHEMA_VERSION = 1
BUSY_S = 5.0
WAL_LIMIT_BYTES = 16 * 2**20

_MAGIC = b"SQLite format 3\0"
_TABLES = {
    "sessions": """CREATE TABLE sessions (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        token_hash TEXT NOT NULL UNIQUE,
        model TEXT NOT NULL,
        layout_json TEXT NOT NULL,
        context_rows INTEGER NOT NULL,
        context_policy TEXT NOT NULL,
        created_s REAL NOT NULL,
        title TEXT NOT NULL,
        is_open INTEGER NOT NULL
    ) STRICT""",
    "events": """CREATE TABLE events (
        session INTEGER NOT NULL REFERENCES sessions (number) ON DELETE CASCADE,
        seq INTEGER NOT NULL,
        row INTEGER NOT NULL,
        time_s REAL NOT NULL,
        json TEXT NOT NULL,
        PRIMARY KEY (session, seq)
    ) STRICT, WITHOUT ROWID""",
}


@contextmanager
def told(what: str) -> Iterator[None]:
    """Tell what SQLite or the disk refuses as a JournalError about `what`."""
    try:
        yield
    except (sqlite3.Error, OSError, UnicodeError, OverflowError) as error:
        raise JournalError(f"journal {what}", got=error) from None


def open_for_writing(path: Path) -> sqlite3.Connection:
    """The database at `path`, made if there is none; JournalError if it is not a journal.

    The file can be read and written by its owner only (0600), also if it could by others before.
    """
    with told(str(path)):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        is_new = path.stat().st_size == 0
    if not is_new:
        with closing(open_for_reading(path)):  # before anything is changed
            pass
    with told(str(path)):
        path.chmod(0o600)
    with told(str(path)):
        connection = _connect(f"{path.absolute().as_uri()}?mode=rw")
        try:
            _prepare(connection, is_new=is_new)
        except BaseException:
            connection.close()
            raise
    return connection


def open_in_memory() -> sqlite3.Connection:
    """A journal that lives as long as its connection."""
    connection = _connect(":memory:")
    _create(connection)
    return connection


def open_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that can only read; JournalError if there is no journal of this version."""
    _check_magic(path)
    with told(str(path)):
        connection = _connect(f"{path.absolute().as_uri()}?mode=ro")
        try:
            _check(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def _connect(name: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        name, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA temp_store = MEMORY")
    return connection


def _prepare(connection: sqlite3.Connection, *, is_new: bool) -> None:
    connection.execute("PRAGMA secure_delete = ON")
    if is_new:
        connection.execute("PRAGMA auto_vacuum = FULL")
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise JournalError(
            "journal", expected="a file system that SQLite's WAL mode works on", got=mode,
            fix="keep the journal on a local disk",
        )  # fmt: skip
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    if is_new:
        _create(connection)


def _create(connection: sqlite3.Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for statement in _TABLES.values():
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _check_magic(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except FileNotFoundError:
        raise JournalError("journal", expected=str(path), got="no such file") from None
    except OSError as error:
        raise JournalError("journal", expected=str(path), got=error) from None
    if magic != _MAGIC:
        raise JournalError(str(path), expected="a journal of Motet", got="some other file")


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise JournalError(str(path), expected="a journal of Motet", got="another database")
    if version != SCHEMA_VERSION:
        raise JournalError(
            f"{path}: version", expected=SCHEMA_VERSION, got=version,
            fix="use the Motet that wrote it, or another file",
        )  # fmt: skip
    tables = dict(
        connection.execute(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
        ).fetchall()
    )
    if tables != _TABLES:
        raise JournalError(str(path), expected="the tables of a journal", got=sorted(tables))
