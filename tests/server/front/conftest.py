"""Real servers on real sockets: in a thread of this process, one a test or one for many."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from motet.engine import Engine
from motet.engine.opening import load
from motet.server.config import ServerConfig
from motet.server.running import LiveServer, listen, url_of


@dataclasses.dataclass
class Served:
    """A server that runs, and ways to talk to it."""

    url: str
    server: LiveServer
    thread: threading.Thread

    @property
    def live_url(self) -> str:
        return self.url.replace("http", "ws", 1) + "/v1/live"

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **options: Any) -> httpx.Response:
        return httpx.get(self.url + path, timeout=20, trust_env=False, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        return httpx.post(self.url + path, timeout=20, trust_env=False, **options)

    def connect(self, **options: Any) -> ClientConnection:
        return connect(self.live_url, compression=None, proxy=None, ping_interval=None, **options)

    def stop(self) -> None:
        if self.thread.is_alive():
            self.server.stop()
        self.thread.join(30)
        assert not self.thread.is_alive()


Serve = Callable[..., Served]


def say(socket: ClientConnection, **event: Any) -> None:
    socket.send(json.dumps(event))


def hear(socket: ClientConnection, wanted: str) -> dict[str, Any]:
    """The next event of that type; what comes before it is passed over."""
    while True:
        event: dict[str, Any] = json.loads(socket.recv(timeout=20))
        if event["type"] == wanted:
            return event


def start(engine: Engine[Any], **options: Any) -> Served:
    """A server of `engine` that answers; `options` are those of ServerConfig."""
    config = ServerConfig(**{"port": 0, "drain_s": 2.0, **options})
    bound = listen(config)
    server = LiveServer(config, engine, bound)
    is_ready = threading.Event()
    thread = threading.Thread(target=server.run_until_stopped, args=[is_ready.set], daemon=True)
    url = url_of(bound)
    thread.start()
    assert is_ready.wait(30)
    return Served(url, server, thread)


@pytest.fixture(scope="session")
def engine() -> Engine[Any]:
    return load(threads=1)


@pytest.fixture
def serve(engine: Engine[Any]) -> Iterator[Serve]:
    """Start servers with options; they are stopped at the end of the test."""
    servers: list[Served] = []

    def start_one(**options: Any) -> Served:
        servers.append(start(engine, **options))
        return servers[-1]

    yield start_one
    for served in servers:
        served.stop()


@pytest.fixture(scope="module")
def served(engine: Engine[Any]) -> Iterator[Served]:
    """One server with the usual options, for many tests."""
    served = start(engine, rate=0.0)
    yield served
    served.stop()
