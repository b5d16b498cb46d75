"""Whatever comes over a live socket: no crash, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import resource
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet.engine import Engine
from motet.server.live import LiveSession
from motet.server.live_socket import _LiveSocket
from tests.server.front.conftest import Served, hear, say, start
from tests.server.fuzz.frames import BINARY, CLOSE, CONT, PING, PONG, TEXT, RawSocket, frame

ROWS = 64
IDLE_S = 0.2


@pytest.fixture(scope="module")
def small(engine: Engine[Any]) -> Iterator[Served]:
    served = start(
        engine, rate=0.0, idle_s=IDLE_S, context_rows=ROWS, max_context_rows=ROWS, max_sessions=8,
        max_waiting=4, max_frame_bytes=4096, max_text_bytes=1024,
    )  # fmt: skip
    yield served
    served.stop()


def tasks(served: Served) -> set[str]:
    """What runs in the server's event loop."""

    async def names() -> set[str]:
        current = asyncio.current_task()
        return {repr(t.get_coro()) for t in asyncio.all_tasks() if t is not current}

    loop = served.server.servers[0].get_loop()
    return asyncio.run_coroutine_threadsafe(names(), loop).result(30)


def left_over(served: Served, usual: set[str]) -> list[str]:
    """What clients that have gone left in the server, in words: an object would stay by it."""
    state = served.server.state
    found = [task for task in tasks(served) if task not in usual]
    counts = {
        "connections": len(served.server.server_state.connections), "inside": state.num_inside,
        "running": state.decoding.num_running, "waiting": state.decoding.num_waiting,
        "places": state.decoding.line.num_taken,
    }  # fmt: skip
    found += [f"{count} {name}" for name, count in counts.items() if count]
    gc.collect()
    found += [repr(it) for it in gc.get_objects() if type(it) in (LiveSession, _LiveSocket)]
    return found


@contextlib.contextmanager
def nothing_left(served: Served, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After what happens in here, the server is as it was, and has logged no failure."""
    usual = tasks(served)
    yield
    deadline_s = time.monotonic() + 60
    while (found := left_over(served, usual)) and time.monotonic() < deadline_s:
        time.sleep(0.2)
    assert found == []
    assert served.get("/health").json()["status"] == "ok"
    failures = [
        record.getMessage() for record in caplog.records
        if record.levelno >= logging.ERROR and "Invalid UTF-8" not in record.getMessage()
    ]  # fmt: skip
    assert failures == []


def event(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    optional = {"event_id": st.text(max_size=8)}
    return st.fixed_dictionaries({"type": st.just(kind), **fields}, optional=optional)


TEXTS = st.text(min_size=1, max_size=30) | st.just("word " * 200)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
SETTINGS = st.fixed_dictionaries({}, optional={
    "seed": st.integers(-1, 5), "max_rows": st.integers(0, 70), "pace": st.floats(-1, 1e6),
    "quiet_rows": st.integers(0, 9), "ablate": st.lists(st.sampled_from(["Output", "User", "x"])),
    "sampling": st.fixed_dictionaries({}, optional={"temperature": st.floats(), "top_k": JSON}),
    "feed": st.sampled_from(["live", "prefill", "both"]), "more": JSON,
})  # fmt: skip
EVENTS = st.one_of(
    event("session.create", settings=SETTINGS),
    event("session.create", context_rows=st.integers(0, 80), system=TEXTS),
    event("session.resume", token=st.text(max_size=40), after_seq=st.integers(-1, 9)),
    event("session.update", settings=SETTINGS),
    event("input.append", text=TEXTS), event("input.append", text=TEXTS, feed=JSON),
    event("interrupt"), event("interrupt", text=TEXTS),
    event("step", rows=st.integers(-1, 30)), event("rewind", row=st.integers(-1, 70)),
    event("inject", channel=st.sampled_from(["Think", "Doubt", "User", "Output"]), text=TEXTS),
    event("close", delete=st.booleans()),
    *[event(kind) for kind in ("input.clear", "pause", "continue", "hold", "release", "fork")],
)  # fmt: skip
PAYLOADS = st.one_of(
    EVENTS.map(lambda it: json.dumps(it).encode()),
    JSON.map(lambda it: json.dumps(it, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    st.binary(max_size=60),
    st.sampled_from([b"[" * 3000, b'{"a":' * 800, b"9" * 4000, b"x" * 5000, b"\xff", b"\xf0\x9f"]),
)


@st.composite
def cut(draw: st.DrawFn) -> list[bytes]:
    """One message in pieces, wherever the cuts fall: inside a character too."""
    text = json.dumps({"type": "input.append", "text": "漢字🙂é"}, ensure_ascii=False).encode()
    places = sorted(draw(st.sets(st.integers(1, len(text) - 1), max_size=4)))
    parts = [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True)]
    frames = [
        frame(part, TEXT if n == 0 else CONT, is_last=n == len(parts) - 1)
        for n, part in enumerate(parts)
    ]
    return frames if draw(st.booleans()) else frames[:-1]


ONE_FRAME = st.one_of(
    PAYLOADS.map(frame),
    st.builds(frame, st.binary(max_size=130), st.sampled_from([CONT, BINARY, CLOSE, PING, PONG])),
    st.builds(
        frame, st.binary(max_size=20), st.integers(0, 15), is_last=st.booleans(),
        is_masked=st.booleans(), reserved=st.integers(0, 7),
        said_bytes=st.none() | st.integers(0, 2**63 - 1),
    ),
    st.binary(max_size=40),
)  # fmt: skip
CREATE = frame(b'{"type": "session.create", "settings": {"max_rows": 20}}')
CONVERSATIONS = st.tuples(
    st.booleans(),  # whether it begins as it should
    st.lists(ONE_FRAME.map(lambda it: [it]) | cut() | EVENTS.map(
        lambda it: [frame(json.dumps(it).encode())]), max_size=10),
    st.sampled_from(["reset", "half", "close", "leave"]),
)  # fmt: skip


@pytest.mark.filterwarnings("default::pytest.PytestUnraisableExceptionWarning")
def test_anything_may_come(small: Served, caplog: pytest.LogCaptureFixture) -> None:
    @settings(
        max_examples=60, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(CONVERSATIONS)
    def converse(conversation: tuple[bool, list[list[bytes]], str]) -> None:
        is_proper, messages, goodbye = conversation
        client = RawSocket(small.port)
        if is_proper:
            client.send(CREATE)
        for part in (part for message in messages for part in message):
            if not client.send(part):
                break
        if goodbye == "half":
            with contextlib.suppress(OSError):
                client.line.shutdown(socket.SHUT_WR)
        elif goodbye == "close":
            client.send(frame(b"\x03\xe8", CLOSE))
        if goodbye == "reset":
            client.reset()
        else:
            client.line.close()

    with nothing_left(small, caplog):
        converse()


def test_words_that_are_cut_inside_a_character_arrive_whole(small: Served) -> None:
    with small.connect() as live:
        say(live, type="session.create")
        text = "漢字🙂é"
        data = json.dumps({"type": "input.append", "text": text}, ensure_ascii=False)
        live.send(iter(data))  # a frame a character; the library cuts no character
        assert hear(live, "input.queued")["text"] == text
    client = RawSocket(small.port)
    client.send(CREATE)
    encoded = data.encode()
    for n in range(len(encoded)):
        client.send(frame(encoded[n : n + 1], CONT if n else TEXT, is_last=n == len(encoded) - 1))
    heard = b""
    while b"input.queued" not in heard:
        heard += client.line.recv(65536)
    assert text.encode() in heard
    client.line.close()


def test_a_flood_that_reads_nothing_costs_no_memory(
    small: Served, caplog: pytest.LogCaptureFixture
) -> None:
    """Clients that only talk: the server stops reading, and forgets them."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    hold = frame(b'{"type": "hold"}') * 100
    with nothing_left(small, caplog):
        clients = [RawSocket(small.port) for _ in range(4)]
        for client in clients:
            client.line.settimeout(0.5)
            client.send(CREATE)
            for _ in range(300):
                if not client.send(hold):
                    break
        for client in clients:
            client.reset()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_sockets_that_are_half_closed_are_let_go(
    small: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with nothing_left(small, caplog):
        clients = [RawSocket(small.port) for _ in range(3)]
        clients[0].send(CREATE)
        clients[1].send(frame(b"", said_bytes=4000))  # and the rest never comes
        for client in clients:
            client.line.shutdown(socket.SHUT_WR)
        for client in clients:
            while client.line.recv(65536):
                pass
            client.line.close()
