"""A real uvicorn server of the OpenAI routes on a real socket, for one engine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from fastapi import FastAPI
from openai import AsyncOpenAI, OpenAI

from motet.engine import Engine
from motet.server.config import ServerConfig
from motet.server.decoding import DecodeLoop
from motet.server.errors import handle_errors
from motet.server.metrics import ServerMetrics
from motet.server.openai import openai_router
from motet.server.state import ServerState


@dataclass
class Running:
    """A server that runs. url: without a slash at the end."""

    url: str
    state: ServerState
    client: OpenAI = field(init=False)

    def __post_init__(self) -> None:
        self.client = OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=20)

    @property
    def model(self) -> str:
        return self.state.engine.name

    @property
    def num_open(self) -> int:
        """Places that are taken."""
        return self.state.decoding.line.num_taken

    def async_client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=20)


def eventually(what: Callable[[], bool]) -> None:
    """Wait until it is so: what a client is told comes before the server has cleared up."""
    end = time.monotonic() + 30
    while not what():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def serve(engine: Engine[Any], **config: Any) -> Iterator[Running]:
    """Serve `engine` while the block runs; nothing may be left open at its end."""
    settings = ServerConfig(**config)
    decoding = DecodeLoop(
        engine, max_sessions=settings.max_sessions, max_waiting=settings.max_waiting
    )
    state = ServerState(
        settings, engine, decoding, cast(Any, None), cast(Any, None),
        ServerMetrics(engine.codec.layout.names),
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        decoding.start()
        yield
        decoding.close()

    app = FastAPI(lifespan=lifespan)
    app.include_router(openai_router(state))
    handle_errors(app)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
        thread = threading.Thread(target=server.run, args=([bound],))
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server did not start"
                thread.join(0.01)
            running = Running(f"http://127.0.0.1:{bound.getsockname()[1]}", state)
            with running.client:
                yield running
        finally:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()
