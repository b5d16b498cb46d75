"""Connections that say nothing, take nothing, or are too many."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from typing import Any

import pytest
import uvicorn

from motet.server.config import ServerConfig
from motet.server.patience import patient_protocols
from tests.server.front.conftest import Serve


def drained(line: socket.socket) -> bytes:
    """All that still comes until the other side closes."""
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(65536):
            answer += part
    return answer


@pytest.mark.parametrize(
    "said", [b"", b"GET /health HTTP/1.1\r\nHost: localh",
             b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea"],
)  # fmt: skip
def test_a_head_that_does_not_come(serve: Serve, said: bytes) -> None:
    served = serve(first_event_s=0.3)
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
        line.sendall(said)
        start_s = time.monotonic()
        drained(line)
        assert 0.2 < time.monotonic() - start_s < 9  # uvicorn's own patience is 5 s


def test_a_connection_too_many(serve: Serve) -> None:
    served = serve(max_connections=3)
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
        time.sleep(0.2)
        with socket.create_connection(("127.0.0.1", served.port), timeout=10) as line:
            answer = drained(line)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1" in answer
        assert b'{"error":' in answer
    time.sleep(0.2)
    assert served.get("/health").status_code == 200


async def test_a_peer_that_takes_nothing_is_dropped() -> None:
    """An application that sends without end to a client that reads nothing: it is not kept."""
    was_left = asyncio.Event()

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            return
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            gone = asyncio.create_task(_gone(receive))
            while not gone.done():
                body = {"type": "http.response.body", "body": b"x" * 65536, "more_body": True}
                await send(body)
        finally:
            was_left.set()

    async def _gone(receive: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    http, _ = patient_protocols(ServerConfig(), stall_s=0.3)
    server = uvicorn.Server(uvicorn.Config(flood, http=http, lifespan="off", log_config=None))
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        serving = asyncio.create_task(server._serve([bound]))
        _, writer = await asyncio.open_connection(*bound.getsockname(), limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.wait_for(was_left.wait(), 10)
        assert not server.server_state.connections
        writer.close()
        server.should_exit = True
        await serving
