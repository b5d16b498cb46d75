"""Files that are no journal, or not one of ours any more: one line says so, nothing is changed."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import JournalError
from motet.server.journal import Journal, JournalReader
from motet.server.journal.database import APPLICATION_ID, SCHEMA_VERSION
from tests.server.journal.records import entry, record


def _journal(path: Path) -> None:
    with Journal(path) as journal:
        journal.create(record("a"))
        journal.append([entry("a", seq, "ants " * 50) for seq in range(1, 60)])


def _database(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def _of_version(number: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        _journal(path)
        _database(path, f"PRAGMA user_version = {number}")

    return make


def _truncated(path: Path) -> None:
    _journal(path)
    path.write_bytes(path.read_bytes()[:10_000])


def _without_header(path: Path) -> None:
    _journal(path)
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


_WRONG: dict[str, tuple[Callable[[Path], None], str]] = {
    "text": (lambda path: path.write_text("hello " * 100) and None, "some other file"),
    "short": (lambda path: path.write_text("x") and None, "some other file"),
    "folder": (lambda path: path.mkdir(), "Is a directory"),
    "another database": (
        lambda path: _database(path, "CREATE TABLE cats (name)"),
        "got another database",
    ),
    "other tables": (
        lambda path: _database(
            path, "CREATE TABLE sessions (name)", f"PRAGMA user_version = {SCHEMA_VERSION}",
            f"PRAGMA application_id = {APPLICATION_ID}",
        ),
        "the tables of a journal",
    ),
    "an older version": (_of_version(0), "version: expected 1, got 0"),
    "a newer version": (_of_version(SCHEMA_VERSION + 1), "version: expected 1, got 2"),
    "truncated": (_truncated, "malformed"),
    "overwritten": (_without_header, "some other file"),
}  # fmt: skip


@pytest.mark.parametrize("name", _WRONG)
@pytest.mark.parametrize("kind", [Journal, JournalReader])
def test_what_is_no_journal_is_refused_and_left_alone(
    name: str, kind: type[Journal] | type[JournalReader], tmp_path: Path
) -> None:
    make, reason = _WRONG[name]
    path = tmp_path / "j.db"
    make(path)
    path.chmod(0o755)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(JournalError) as told:
        kind(path).get("a")
    assert reason in str(told.value)
    assert "\n" not in str(told.value)
    assert (path.read_bytes() if path.is_file() else None) == before
    assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("kind", [Journal, JournalReader])
def test_a_missing_folder_is_told(
    kind: type[Journal] | type[JournalReader], tmp_path: Path
) -> None:
    with pytest.raises(JournalError, match=r"[Nn]o such file"):
        kind(tmp_path / "nowhere" / "j.db")
    assert list(tmp_path.iterdir()) == []


def test_reading_makes_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no such file"):
        JournalReader(tmp_path / "j.db")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_died_before_its_first_word_left_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.touch()
    with pytest.raises(JournalError):
        JournalReader(path)
    with Journal(path) as journal:
        journal.create(record("a"))


def test_a_refused_journal_is_not_locked(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.write_text("hello")
    with pytest.raises(JournalError, match="some other file"):
        Journal(path)
    path.unlink()
    Journal(path).close()


def test_a_backup_as_the_docs_make_it_is_a_journal(tmp_path: Path) -> None:
    path, copy = tmp_path / "j.db", tmp_path / "copy.db"
    with Journal(path) as journal:
        journal.create(record("a"))
        journal.append([entry("a", 1)])
        _database(path, f"VACUUM INTO '{copy}'")
        journal.append([entry("a", 2)])
    with Journal(copy) as journal:
        assert journal.events("a") == [entry("a", 1)]
        journal.append([entry("a", 2)])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "j.db"
    _journal(path)
    return path


@settings(max_examples=30)
@given(st.data())
def test_damage_is_told_or_does_not_show(whole: Path, data: st.DataObject) -> None:
    content = bytearray(whole.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    folder = whole.parent / "damaged"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    path = folder / "j.db"
    path.write_bytes(content)
    line = ""
    try:
        with Journal(path) as journal:
            journal.events("a")
            journal.sessions()
            journal.append([entry("a", 1000)])
            journal.delete("a")
    except JournalError as told:
        line = str(told)
    assert "\n" not in line
