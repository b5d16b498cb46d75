"""The terminal with a real server: another process, a real socket, a line that breaks."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from motet.cli.remote_venue import RemoteVenue
from motet.cli.token_book import TokenBook
from motet.protocol.client_events import SessionCreate, SessionResume
from motet.protocol.knobs import SettingsChange
from motet.tui.app import ChatApp
from tests.tui.conftest import until


def served(journal: Path, port: int = 0) -> tuple[subprocess.Popen[str], str]:
    """A server and its address."""
    command = [
        sys.executable, "-m", "motet", "serve", "--port", str(port), "--journal", str(journal),
        "--threads", "1",
    ]  # fmt: skip
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert server.stdout is not None
    found = re.search(r"http://\S+", server.stdout.readline())
    assert found is not None
    return server, found[0]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[list[subprocess.Popen[str]], str]]:
    process, url = served(tmp_path / "journal.sqlite")
    running = [process]
    yield running, url
    for process in running:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.slow
async def test_a_server_that_was_killed_comes_back(
    server: tuple[list[subprocess.Popen[str]], str], tmp_path: Path
) -> None:
    running, url = server
    book = TokenBook(tmp_path / "tokens.sqlite")
    venue = RemoteVenue(url, None, book)
    app = ChatApp(venue, SessionCreate(settings=SettingsChange(pace=50.0)))
    async with app.run_test(size=(80, 24)) as pilot:

        def now():
            return app.talk.conversation

        await pilot.press(*"What is 2+3?", "enter")
        await until(pilot, lambda: now().num_rows > 5)
        running[0].kill()
        running[0].wait()
        await until(pilot, lambda: not now().connection.is_connected)
        before = now().rows
        process, _ = served(tmp_path / "journal.sqlite", int(url.rsplit(":", 1)[1]))
        running.append(process)
        await until(pilot, lambda: now().connection.is_connected)
        await until(pilot, lambda: now().is_at_rest and now().turns)
        assert now().rows[: len(before)] == before
        assert [row.index for row in now().rows] == list(range(now().num_rows))
        (kept,) = await venue.kept()
        rows = now().num_rows
        await pilot.press("ctrl+n")
        await until(pilot, lambda: now().session and now().num_rows < rows)
        await app.change_to(SessionResume(token=kept.token))
        await until(pilot, lambda: now().num_rows == rows)
        await pilot.press("ctrl+n")
        await until(pilot, lambda: now().session and now().num_rows < rows)
        await venue.forget(kept)
        assert kept.session_id not in [one.session_id for one in await venue.kept()]
