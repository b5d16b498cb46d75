"""The disk is full while sessions talk: they are told, the server lives, and later all goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.server.front.conftest import hear, say
from tests.server.process import ServerProcess

resource = pytest.importorskip("resource")
LONG = "and again we counted all of the leaves " * 40


def _limit_files(server: ServerProcess, num_bytes: int) -> None:
    """Let the process write no file beyond this size: its disk is full."""
    hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (num_bytes, hard))


def _talk(socket: ClientConnection) -> dict[str, Any]:
    say(socket, type="session.create", context_rows=1500, settings={"max_rows": 1400})
    created = hear(socket, "session.created")
    say(socket, type="input.append", text=LONG)
    return created


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of other processes: Linux")
def test_sessions_end_with_an_error_and_the_server_goes_on(tmp_path: Path) -> None:
    journal = tmp_path / "j.sqlite"
    server = ServerProcess(tmp_path / "log", "--journal", str(journal), "--rate", "0")
    try:
        with (
            connect(server.live_url, proxy=None) as one,
            connect(server.live_url, proxy=None) as two,
        ):
            tokens = [_talk(one)["resume_token"], _talk(two)["resume_token"]]
            seen = [hear(one, "rows")["rows"][-1], hear(two, "rows")["rows"][-1]]
            _limit_files(server, 4096)
            for socket in (one, two):
                assert "journal" in hear(socket, "error")["message"]
                assert hear(socket, "session.closed")["reason"] == "error"
            assert httpx.get(f"{server.url}/health", trust_env=False).status_code == 200
        with connect(server.live_url, proxy=None) as refused:
            say(refused, type="session.create")
            assert hear(refused, "error")["code"] == "journal"
        hard = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)[1]
        _limit_files(server, hard)
        for token, last in zip(tokens, seen, strict=True):
            with connect(server.live_url, proxy=None) as back:
                say(back, type="session.resume", token=token)
                assert hear(back, "session.created")["row"] > last["index"]
                indices: list[int] = []
                while len(indices) < last["index"] + 20:
                    event = json.loads(back.recv(timeout=30))
                    indices += [row["index"] for row in event.get("rows", ())]
                assert indices == list(range(len(indices)))
        counted = httpx.get(f"{server.url}/metrics", trust_env=False).text
        assert "motet_journal_errors_total 0.0" not in counted
    finally:
        server.close()
