"""Whatever is appended, read, deleted, refused and killed, the journal equals a few dictionaries.

A kill is a copy of the files as they are on the disk, opened anew: what a process that died by
`kill -9` leaves behind. It may come inside a transaction, which then never was.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from motet.errors import JournalError
from motet.server.journal import Entry, Journal, JournalReader
from motet.server.journal.changes import Change, appending, deletion
from tests.server.journal.records import entry, record, token_of

_IDS = st.sampled_from(["a", "b", "c"])
_SIZES = st.sampled_from([0, 10, 5000])


class JournalMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.generation = 0
        self.journal = Journal(self.path)
        self.model: dict[str, list[Entry]] = {}
        self.order: list[str] = []

    @property
    def path(self) -> Path:
        return self.folder / str(self.generation) / "j.db" if self.generation else (
            self.folder / "j.db"
        )  # fmt: skip

    def teardown(self) -> None:
        self.journal.close()
        shutil.rmtree(self.folder)

    @rule(session_id=_IDS)
    def create(self, session_id: str) -> None:
        if session_id in self.model:
            with pytest.raises(JournalError):
                self.journal.create(record(session_id))
        else:
            self.journal.create(record(session_id))
            self.model[session_id] = []
            self.order.insert(0, session_id)

    @rule(parts=st.lists(st.tuples(_IDS, st.integers(1, 3), _SIZES), min_size=1, max_size=4))
    def append(self, parts: list[tuple[str, int, int]]) -> None:
        entries, ends = [], {name: len(events) for name, events in self.model.items()}
        for session_id, number, size in parts:
            for _ in range(number):
                ends[session_id] = ends.get(session_id, 0) + 1
                entries.append(entry(session_id, ends[session_id], "x" * size))
        if all(e.session_id in self.model for e in entries):
            self.journal.append(entries)
            for e in entries:
                self.model[e.session_id].append(e)
        else:
            with pytest.raises(JournalError):
                self.journal.append(entries)

    @rule(session_id=_IDS, back=st.integers(0, 3))
    def append_again(self, session_id: str, back: int) -> None:
        seq = len(self.model.get(session_id, [])) - back
        if seq > 0:
            with pytest.raises(JournalError):
                self.journal.append([entry(session_id, seq + back + 1), entry(session_id, seq)])

    @rule(session_id=_IDS, new_id=_IDS, up_to=st.integers(0, 5))
    def copy(self, session_id: str, new_id: str, up_to: int) -> None:
        if session_id in self.model and new_id not in self.model:
            self.journal.copy(session_id, up_to, record(new_id))
            taken = self.model[session_id][:up_to]
            self.model[new_id] = [Entry(new_id, e.seq, e.row, e.json) for e in taken]
            self.order.insert(0, new_id)
        else:
            with pytest.raises(JournalError):
                self.journal.copy(session_id, up_to, record(new_id))

    @rule(session_id=_IDS)
    def delete(self, session_id: str) -> None:
        if session_id in self.model:
            self.journal.delete(session_id)
            del self.model[session_id]
            self.order.remove(session_id)
        else:
            with pytest.raises(JournalError):
                self.journal.delete(session_id)

    @rule()
    def close_and_open(self) -> None:
        self.journal.close()
        self.journal = Journal(self.path)

    @rule()
    def kill(self) -> None:
        self._kill([])

    @rule(session_id=_IDS, size=_SIZES)
    def kill_while_writing(self, session_id: str, size: int) -> None:
        if session_id in self.model:
            seq = len(self.model[session_id]) + 1
            lost = [entry(session_id, seq + n, "x" * size) for n in range(100)]
            self._kill([appending(lost), deletion(session_id)])

    def _kill(self, unfinished: list[Change]) -> None:
        old, self.generation = self.path, self.generation + 1
        self.path.parent.mkdir()

        def die(_: sqlite3.Connection) -> None:
            for file in old.parent.glob("j.db*"):
                if not file.name.endswith(("-shm", ".lock")):
                    shutil.copy(file, self.path.parent)
            raise sqlite3.OperationalError("killed")

        with pytest.raises(JournalError, match="killed"):
            self.journal.commit([*unfinished, die])
        self.journal.close()
        self.journal = Journal(self.path)

    @invariant()
    def equals_the_model(self) -> None:
        assert [s.record.id for s in self.journal.sessions()] == self.order
        with JournalReader(self.path) as other:
            for session_id in ("a", "b", "c"):
                expected = self.model.get(session_id, [])
                assert self.journal.events(session_id) == expected
                assert list(other.all_events(session_id)) == expected
                assert other.events(session_id, 2, 2) == expected[2:4]
                found = self.journal.find(token_of(session_id))
                assert (found is not None) == (session_id in self.model)


TestJournal = JournalMachine.TestCase
TestJournal.settings = settings(max_examples=15, stateful_step_count=20)


KILLED = """
import sys
from pathlib import Path
from motet.server.journal import Journal
from tests.server.journal.records import entry, record

journal = Journal(Path(sys.argv[1]))
if journal.get("a") is None:
    journal.create(record("a"))
seq = journal.last_seq("a")
while True:
    journal.append([entry("a", seq + n, "x" * 3000) for n in (1, 2, 3)])
    seq += 3
    print(seq, flush=True)
"""


def test_a_killed_process_loses_nothing_that_it_had_committed(tmp_path: Path) -> None:
    path, told = tmp_path / "j.db", 0
    for num_lines in (1, 40, 300):  # the last one after the log has gone round
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, path], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(num_lines):
            told = int(process.stdout.readline())
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().split()
        process.stdout.close()
        process.wait()
        told = int(rest[-1]) if rest else told
        with JournalReader(path) as reader:
            found = [e.seq for e in reader.all_events("a")]
        assert len(found) in (told, told + 3)
        assert found == list(range(1, len(found) + 1))
