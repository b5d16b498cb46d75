from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from motet.errors import JournalError
from motet.server.journal import Journal, JournalWriter
from tests.server.journal.records import entry, record


async def test_what_came_meanwhile_is_committed_together() -> None:
    commits: list[int] = []
    with Journal(None) as journal:
        writer = JournalWriter(journal, lambda _, num_changes: commits.append(num_changes))
        await writer.create(record("a"))
        with journal._writing:  # the disk is slow now
            writes = [asyncio.create_task(writer.write([entry("a", seq)])) for seq in range(1, 101)]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in writes)
        await asyncio.gather(*writes)
        assert [e.seq for e in journal.events("a")] == list(range(1, 101))
        await writer.close()
    assert sum(commits) == 101
    assert len(commits) <= 3


async def test_changes_are_made_in_order_and_before_the_call_returns() -> None:
    with Journal(None) as journal:
        writer = JournalWriter(journal)
        calls = [
            writer.create(record("a")),
            writer.write([entry("a", 1)]),
            writer.copy("a", 1, record("b")),
            writer.write([entry("b", 2)]),
            writer.update("b", title="Bees"),
            writer.delete("a"),
        ]
        await asyncio.gather(*calls)
        assert journal.get("a") is None
        assert journal.get("b") == record("b", title="Bees")
        assert journal.last_seq("b") == 2
        await writer.write([entry("b", 3)])
        assert journal.last_seq("b") == 3
        await writer.close()


async def test_only_the_guilty_one_of_a_group_is_refused() -> None:
    with Journal(None) as journal:
        writer = JournalWriter(journal)
        await writer.create(record("a"))
        with journal._writing:
            calls = [
                asyncio.create_task(writer.write([entry(session_id, seq)]))
                for session_id, seq in [("a", 1), ("a", 1), ("nobody", 1), ("a", 2)]
            ]
            await asyncio.sleep(0.05)
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(o, JournalError) for o in outcomes] == [False, True, True, False]
        assert journal.last_seq("a") == 2
        await writer.close()


async def test_a_cancelled_call_is_committed_and_harms_nobody() -> None:
    with Journal(None) as journal:
        writer = JournalWriter(journal)
        await writer.create(record("a"))
        with journal._writing:
            left = asyncio.create_task(writer.write([entry("a", 1)]))
            stays = asyncio.create_task(writer.write([entry("a", 2)]))
            await asyncio.sleep(0.05)
            left.cancel()
        await stays
        assert journal.last_seq("a") == 2
        await writer.close()


async def test_closing_commits_what_was_submitted() -> None:
    with Journal(None) as journal:
        writer = JournalWriter(journal)
        await writer.create(record("a"))
        writes = [asyncio.create_task(writer.write([entry("a", seq)])) for seq in range(1, 51)]
        await asyncio.sleep(0)
        await writer.close()
        await writer.close()
        await asyncio.gather(*writes)
        assert journal.last_seq("a") == 50
        assert "motet-journal" not in {thread.name for thread in threading.enumerate()}
        with pytest.raises(JournalError, match="closed"):
            await writer.write([entry("a", 51)])


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from motet.errors import JournalError
from motet.server.journal import Journal, JournalWriter
from tests.server.journal.records import entry, record

async def main() -> None:
    journal = Journal(Path(sys.argv[1]))
    writer = JournalWriter(journal)
    await writer.create(record("a"))
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
    seq, refused = 0, 0
    while refused < 3:
        try:
            await writer.write([entry("a", seq + 1, "x" * 5000)])
            seq += 1
        except JournalError as error:
            refused += 1
            assert "\\n" not in str(error)
            print(error)
        assert seq < 1000
    assert journal.last_seq("a") == seq > 0
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    await writer.write([entry("a", seq + 1)])
    assert [e.seq for e in journal.events("a")] == list(range(1, seq + 2))
    await writer.close()
    journal.close()
    with Journal(Path(sys.argv[1])) as again:
        assert again.last_seq("a") == seq + 1

asyncio.run(main())
"""


def test_a_full_disk_is_told_to_the_writers_and_survived(tmp_path: Path) -> None:
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL_DISK, tmp_path / "j.db"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "disk" in done.stdout
    assert done.stderr == ""
