from __future__ import annotations

import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from motet.errors import JournalError
from motet.server.journal import Entry, Journal, JournalReader, title_of
from motet.server.journal.changes import appending
from tests.server.journal.records import entry, files_of, record, token_of


@pytest.fixture(params=["file", "memory"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "j.db" if request.param == "file" else None) as opened:
        yield opened


def test_what_was_written_is_read(journal: Journal) -> None:
    journal.create(record("a", title="Ants"))
    journal.create(record("b", is_open=False))
    journal.append([entry("a", 1), entry("b", 1), entry("a", 2), entry("a", 3)])
    assert journal.find(token_of("a")) == record("a", title="Ants")
    assert journal.get("b") == record("b", is_open=False)
    assert journal.find("a") is None
    assert journal.get(token_of("a")) is None
    assert journal.events("a") == [entry("a", 1), entry("a", 2), entry("a", 3)]
    assert journal.events("a", after_seq=1, limit=1) == [entry("a", 2)]
    assert journal.events("nobody") == []
    assert list(journal.all_events("a")) == journal.events("a")
    assert (journal.last_seq("a"), journal.last_seq("b"), journal.last_seq("c")) == (3, 1, 0)


def test_sessions_are_listed_newest_first_and_in_pages(journal: Journal) -> None:
    for number in range(5):
        journal.create(record(f"s{number}"))
    journal.append([entry("s3", 1), entry("s3", 2)])
    assert [s.record.id for s in journal.sessions()] == ["s4", "s3", "s2", "s1", "s0"]
    assert [s.record.id for s in journal.sessions(2)] == ["s4", "s3"]
    assert [s.record.id for s in journal.sessions(2, after="s3")] == ["s2", "s1"]
    assert journal.sessions(after="s0") == []
    talked = journal.summary("s3")
    assert talked is not None
    assert (talked.last_seq, talked.num_rows) == (2, 2)
    assert talked.changed_s > talked.record.created_s
    silent = journal.sessions()[-1]
    assert (silent.last_seq, silent.num_rows) == (0, 0)
    assert silent.changed_s == silent.record.created_s
    assert journal.summary("nobody") is None


def test_a_record_changes_where_it_is_told_to(journal: Journal) -> None:
    journal.create(record("a"))
    journal.update("a", title="Ants")
    journal.update("a", is_open=False)
    assert journal.get("a") == record("a", title="Ants", is_open=False)
    with pytest.raises(JournalError, match="got b"):
        journal.update("b", title="Bees")


def test_a_fork_has_the_events_of_its_parent_up_to_a_point(journal: Journal) -> None:
    journal.create(record("a"))
    journal.append([entry("a", seq) for seq in range(1, 5)])
    journal.copy("a", 3, record("b"))
    journal.append([entry("a", 5), entry("b", 4, "other")])
    journal.delete("a")
    assert [(e.seq, e.json) for e in journal.events("b")] == [
        *[(seq, entry("a", seq).json) for seq in (1, 2, 3)],
        (4, entry("b", 4, "other").json),
    ]
    with pytest.raises(JournalError, match="got a"):
        journal.copy("a", 1, record("c"))
    assert journal.get("c") is None


@pytest.mark.parametrize(
    "refused",
    [
        [entry("a", 2), entry("a", 1)],
        [entry("a", 2), entry("nobody", 1)],
        [entry("a", 2), Entry("a", 2**70, 0, "{}")],
        [entry("a", 2), Entry("a", 3, 0, "\ud800")],
    ],
    ids=["a number twice", "no session", "a number too large", "no text"],
)
def test_a_refused_group_leaves_nothing(journal: Journal, refused: list[Entry]) -> None:
    journal.create(record("a"))
    journal.append([entry("a", 1)])
    with pytest.raises(JournalError) as told:
        journal.append(refused)
    assert "\n" not in str(told.value)
    assert journal.events("a") == [entry("a", 1)]
    journal.append([entry("a", 2)])


def test_ids_and_tokens_are_taken_once(journal: Journal) -> None:
    journal.create(record("a"))
    for taken in (record("a"), record("b", token_hash=record("a").token_hash)):
        with pytest.raises(JournalError):
            journal.create(taken)
    assert len(journal.sessions()) == 1


def test_tokens_are_not_kept(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    told = f'{{"seq":1,"resume_token":"{token_of("a")}","text":"x"}}'
    with Journal(path) as journal:
        journal.create(record("a"))
        journal.append([Entry("a", 1, 0, told)])
        assert journal.events("a")[0].json == '{"seq":1,"resume_token":"","text":"x"}'
        assert b"token-that-nobody-keeps" not in files_of(path)
    assert b"token-that-nobody-keeps" not in files_of(path)


def test_a_text_that_looks_like_a_token_stays(journal: Journal) -> None:
    text = r'{"text":"say \"resume_token\":\"abc\" twice"}'
    journal.create(record("a"))
    journal.append([Entry("a", 1, 0, text)])
    assert journal.events("a")[0].json == text


def test_deleting_leaves_no_word_in_the_files(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        for session_id in ("a", "b"):
            journal.create(record(session_id, title=f"secret title of {session_id}"))
            text = f"secret of {session_id} " * 100
            journal.append([entry(session_id, seq, text) for seq in range(1, 200)])
        assert b"secret of a" in files_of(path)
        journal.delete("a")
        left = files_of(path)
        assert b"secret of a" not in left
        assert b"title of a" not in left
        assert b"secret of b" in left
        with pytest.raises(JournalError, match="got a"):
            journal.delete("a")
        size = len(left)
        journal.delete("b")
        assert len(files_of(path)) < size / 2
    assert b"secret" not in files_of(path)


def test_a_reader_in_the_way_delays_the_cleaning_only(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal, JournalReader(path) as reader:
        for session_id in ("a", "b"):
            journal.create(record(session_id))
        journal.append([entry("a", seq, "secret of a") for seq in range(1, 50)])
        with reader._reading() as connection:
            connection.execute("BEGIN")
            connection.execute("SELECT count(*) FROM events").fetchone()
            journal.delete("a")
            assert b"secret of a" in files_of(path)
            connection.execute("COMMIT")
        assert journal.get("a") is None
        journal.append([entry("b", 1)])
        assert b"secret of a" not in files_of(path)


def test_only_the_owner_may_read_the_files(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    path.touch(0o644)
    path.chmod(0o644)
    with Journal(path) as journal:
        journal.create(record("a"))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
        assert set(modes) == {"j.db", "j.db-wal", "j.db-shm", "j.db.lock"}
        assert set(modes.values()) == {0o600}


def test_a_second_server_is_refused_and_readers_are_not(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    with Journal(path) as journal:
        journal.create(record("a"))
        with pytest.raises(JournalError, match="no other server uses, got one in use"):
            Journal(path)
        with JournalReader(path) as reader:
            assert reader.get("a") == record("a")
            journal.append([entry("a", 1)])
            assert reader.events("a") == [entry("a", 1)]
    with Journal(path) as journal:
        assert journal.events("a") == [entry("a", 1)]


def test_a_closed_journal_says_so(journal: Journal) -> None:
    journal.close()
    journal.close()
    for call in (journal.sessions, lambda: journal.append([]), lambda: journal.commit([])):
        with pytest.raises(JournalError, match="closed"):
            call()


def test_many_threads_read_while_one_writes(tmp_path: Path) -> None:
    wrong: list[object] = []
    with Journal(tmp_path / "j.db") as journal:
        journal.create(record("a"))

        def read() -> None:
            seen = 0
            while seen < 100:
                found = [e.seq for e in journal.events("a")]
                if found != list(range(1, len(found) + 1)) or len(found) < seen:
                    wrong.append(found)
                seen = len(found)

        readers = [threading.Thread(target=read) for _ in range(4)]
        for reader in readers:
            reader.start()
        for seq in range(1, 101, 2):
            journal.commit([appending([entry("a", seq), entry("a", seq + 1)])])
        for reader in readers:
            reader.join()
    assert wrong == []


def test_a_title_is_one_short_line() -> None:
    assert title_of("  Why do\nants  carry leaves? ") == "Why do ants carry leaves?"
    assert title_of("x" * 80) == "x" * 80
    assert title_of("x" * 81) == "x" * 79 + "\u2026"
