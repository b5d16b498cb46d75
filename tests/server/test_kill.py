"""A server is killed while sixteen sessions talk. Nothing that a client saw is lost or comes twice.

Real processes, real sockets, one journal. A client keeps every frame that it was sent. After the
kill it resumes with its token behind the last event that it saw, and goes on reading.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from motet.server.journal import JournalReader
from tests.server.journal.records import files_of
from tests.server.process import ServerProcess

NUM_SESSIONS = 16
SEEN_ROWS = 24
MORE_ROWS = 12
PACE = 60.0
OF_THE_MOMENT = {
    "session.created", "session.waiting", "session.closed", "heartbeat", "metrics", "going_away",
    "error",
}  # fmt: skip
LONG = " and then we counted all of the leaves again" * 20  # read a token a row, so it talks on


def _serve(journal: Path) -> ServerProcess:
    options = ["--journal", str(journal), "--log-level", "debug", "--rate", "0"]
    return ServerProcess(journal.with_suffix(".log"), *options)


class Client:
    """One talking session, as a person at the other end of the socket has seen it."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.token = ""
        self.session_id = ""
        self.frames: dict[int, str] = {}
        self.rows: dict[int, dict[str, Any]] = {}
        self.last_seq = 0
        self.message = f"Voice {number}:{LONG}."

    async def open(self, url: str) -> ClientConnection:
        socket = await connect(url, open_timeout=60)
        settings = {"seed": self.number, "pace": PACE, "max_rows": 2000}
        await self._send(socket, type="session.create", settings=settings, context_rows=1500)
        created = json.loads(await socket.recv())
        assert created["type"] == "session.created"
        self.token, self.session_id = created["resume_token"], created["session_id"]
        await self._send(socket, type="input.append", text=self.message, feed="live")
        return socket

    async def resume(self, url: str, after_seq: int) -> tuple[ClientConnection, dict[str, Any]]:
        socket = await connect(url, open_timeout=60)
        await self._send(socket, type="session.resume", token=self.token, after_seq=after_seq)
        return socket, json.loads(await socket.recv())

    async def listen(self, socket: ClientConnection, num_rows: int) -> None:
        """Take in frames until so many rows were seen; fails if anything comes out of order."""
        while len(self.rows) < num_rows:
            self.take(await socket.recv())

    async def listen_on(self, socket: ClientConnection) -> None:
        """Take in frames until the server is gone."""
        try:
            while True:
                self.take(await socket.recv())
        except ConnectionClosed:
            return

    def take(self, frame: str | bytes) -> None:
        text = frame if isinstance(frame, str) else frame.decode()
        event = json.loads(text)
        assert event["type"] not in ("error", "session.closed"), text
        if event["type"] in OF_THE_MOMENT:
            return
        assert event["seq"] == self.last_seq + 1, text
        self.last_seq = event["seq"]
        self.frames[self.last_seq] = text
        for row in event["rows"] if event["type"] == "rows" else ():
            assert row["index"] == len(self.rows), text
            self.rows[row["index"]] = row

    @staticmethod
    async def _send(socket: ClientConnection, **event: object) -> None:
        await socket.send(json.dumps(event))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def servers() -> Iterator[list[ServerProcess]]:
    started: list[ServerProcess] = []
    yield started
    for server in started:
        server.close()


async def _talk_and_be_killed(server: ServerProcess, clients: list[Client]) -> None:
    sockets = await asyncio.gather(*(client.open(server.live_url) for client in clients))
    await asyncio.gather(*(c.listen(s, SEEN_ROWS) for c, s in zip(clients, sockets, strict=True)))
    listening = [
        asyncio.create_task(client.listen_on(socket))
        for client, socket in zip(clients, sockets, strict=True)
    ]
    await asyncio.sleep(0.3)
    assert not any(task.done() for task in listening)
    server.kill()
    await asyncio.gather(*listening)


async def _go_on(server: ServerProcess, client: Client) -> None:
    """Resume where the client was, and see the same session go on in the next row."""
    seen_rows, seen_seq = len(client.rows), client.last_seq
    socket, created = await client.resume(server.live_url, seen_seq)
    async with socket:
        assert created["type"] == "session.created", created
        assert not created["is_new"]
        assert created["session_id"] == client.session_id
        assert created["seq"] >= seen_seq
        assert created["row"] >= seen_rows
        await client.listen(socket, created["row"] + MORE_ROWS)
    assert len(client.rows) >= seen_rows + MORE_ROWS


async def _read_again(server: ServerProcess, client: Client) -> None:
    """The whole session from its beginning: what was seen is there as it was, each event once."""
    again = Client(client.number)
    again.token = client.token
    socket, created = await again.resume(server.live_url, 0)
    async with socket:
        assert created["seq"] >= client.last_seq
        await again.listen(socket, len(client.rows))
    common = min(again.last_seq, client.last_seq)
    assert {seq: again.frames[seq] for seq in range(1, common + 1)} == {
        seq: client.frames[seq] for seq in range(1, common + 1)
    }
    for index, row in client.rows.items():
        assert again.rows[index] == row


async def _export(server: ServerProcess, client: Client) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
        path = f"/v1/sessions/{client.session_id}/export"
        document = (await http.get(path, params={"format": "json"})).raise_for_status().json()
        grid = (await http.get(path, params={"format": "grid"})).raise_for_status().content
        text = (await http.get(path, params={"format": "text"})).raise_for_status().text
    exported = document["rows"]
    assert [row["index"] for row in exported] == list(range(len(exported)))
    assert len(exported) >= len(client.rows)
    for index, row in client.rows.items():
        assert exported[index]["ids"] == row["ids"]
        assert exported[index]["text"] == row["text"]
    with np.load(io.BytesIO(grid)) as arrays:
        for index, row in client.rows.items():
            assert arrays["tokens"][index].tolist() == row["ids"]
    assert f"Voice {client.number}" in text


@pytest.mark.slow
async def test_nothing_that_was_seen_is_lost_when_the_server_is_killed(
    journal: Path, servers: list[ServerProcess]
) -> None:
    clients = [Client(number) for number in range(NUM_SESSIONS)]
    servers.append(_serve(journal))
    await _talk_and_be_killed(servers[0], clients)
    assert all(len(client.rows) >= SEEN_ROWS for client in clients)
    with JournalReader(journal) as reader:  # before any server has touched it
        for client in clients:
            kept = {entry.seq: entry.json for entry in reader.all_events(client.session_id)}
            assert list(kept) == list(range(1, len(kept) + 1))
            assert {seq: kept.get(seq) for seq in client.frames} == client.frames
    servers.append(_serve(journal))
    async with asyncio.TaskGroup() as group:
        for client in clients:
            group.create_task(_go_on(servers[1], client))
    for client in clients[:4]:
        await _read_again(servers[1], client)
        await _export(servers[1], client)
    async with httpx.AsyncClient(base_url=servers[1].url, timeout=60) as http:
        listed = (await http.get("/v1/sessions")).json()["data"]
        assert {session["id"] for session in listed} == {c.session_id for c in clients}
        assert {session["title"][:5] for session in listed} == {"Voice"}
        gone = clients[0]
        assert (await http.delete(f"/v1/sessions/{gone.session_id}")).status_code == 200
        assert (await http.get(f"/v1/sessions/{gone.session_id}")).status_code == 404
    socket, refusal = await gone.resume(servers[1].live_url, 0)
    async with socket:
        assert refusal["type"] == "error"
    logged = servers[0].log.read_text()
    assert "session resumed" in logged
    files = files_of(journal)
    for client in clients:
        assert client.token not in logged
        assert client.token.encode() not in files
        assert f"Voice {client.number}" not in logged
    assert f"Voice {gone.number}:".encode() not in files
