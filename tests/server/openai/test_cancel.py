"""Who goes away cancels: while the model speaks, before its first token, and in line."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator

import numpy as np
import openai
import pytest

from motet.streams.grid import Tokens
from tests.engine.scripted import GREEDY, Predict, dream, engine_of, layout_of
from tests.server.openai.serving import Running, eventually, serve

LAYOUT = layout_of("Think")
BODIES = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hey"}]},
    "/v1/completions": {"prompt": "hey"},
    "/v1/responses": {"input": "hey"},
}


class Gate:
    """A model that reads its next row only while the gate is open."""

    def __init__(self, predict: Predict) -> None:
        self._predict = predict
        self.is_open = threading.Event()
        self.num_rows = 0

    def __call__(self, tokens_RC: Tokens) -> np.ndarray:
        assert self.is_open.wait(20)
        self.num_rows += 1
        time.sleep(0.001)
        return self._predict(tokens_RC)


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate(dream(LAYOUT))
    gate.is_open.set()
    yield gate
    gate.is_open.set()


@pytest.fixture
def server(gate: Gate) -> Iterator[Running]:
    with serve(engine_of(LAYOUT, gate, sampling=GREEDY), max_sessions=1, max_waiting=1) as running:
        yield running


def post(server: Running, path: str, *, stream: bool) -> socket.socket:
    """A request whose answer nobody has read yet."""
    limit = "max_output_tokens" if path == "/v1/responses" else "max_tokens"
    fields = {"model": server.model, "stream": stream, "ignore_eos": True, limit: 100_000}
    body = json.dumps({**BODIES[path], **fields}).encode()
    host, port = server.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)))
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return connection


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("stream", [False, True])
def test_before_the_first_token(server: Running, gate: Gate, path: str, stream: bool) -> None:
    gate.is_open.clear()
    connection = post(server, path, stream=stream)
    eventually(lambda: server.num_open == 1)
    connection.close()
    time.sleep(0.1)
    gate.is_open.set()
    eventually(lambda: server.num_open == 0)
    assert gate.num_rows < 100  # of 100,000 tokens


@pytest.mark.parametrize("path", BODIES)
def test_while_it_speaks(server: Running, gate: Gate, path: str) -> None:
    connection = post(server, path, stream=True)
    connection.settimeout(10)
    heard = b""
    while heard.count(b"data: ") < 5:
        heard += connection.recv(4096)
    connection.close()
    eventually(lambda: server.num_open == 0)
    seen = gate.num_rows
    time.sleep(0.1)
    assert gate.num_rows - seen <= 1


def test_in_line(server: Running, gate: Gate) -> None:
    first = post(server, "/v1/chat/completions", stream=True)
    eventually(lambda: server.num_open == 1)
    for stream in (False, True):
        waiting = post(server, "/v1/chat/completions", stream=stream)
        eventually(lambda: server.state.decoding.num_waiting == 1)
        with pytest.raises(openai.RateLimitError) as full:  # there is one place in line
            server.client.chat.completions.create(
                model=server.model, messages=[{"role": "user", "content": "hey"}]
            )
        assert full.value.response.headers["retry-after"]
        waiting.close()
        eventually(lambda: server.state.decoding.num_waiting == 0)
    first.close()
    eventually(lambda: server.num_open == 0)


def test_by_the_openai_package(server: Running) -> None:
    stream = server.client.chat.completions.create(
        model=server.model, messages=[{"role": "user", "content": "hey"}], stream=True,
        max_tokens=100_000, extra_body={"ignore_eos": True},
    )  # fmt: skip
    for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    assert server.num_open == 1
    stream.close()
    eventually(lambda: server.num_open == 0)


def test_the_place_of_who_left_goes_to_the_next(server: Running) -> None:
    first = post(server, "/v1/completions", stream=True)
    eventually(lambda: server.num_open == 1)
    threading.Timer(0.3, first.close).start()
    answer = server.client.completions.create(model=server.model, prompt="hey", max_tokens=3)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 3
