"""`/v1/live` through real sockets: its first words, nonsense, floods, lines and goodbyes."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.server.front.conftest import Serve, Served, hear, say


@pytest.fixture
def socket(served: Served) -> Iterator[ClientConnection]:
    with served.connect() as socket:
        yield socket


def closing(socket: ClientConnection) -> tuple[int, str]:
    """How the server closes; what it still says is passed over."""
    with pytest.raises(ConnectionClosed) as closed:
        hear(socket, "nothing that there is")
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason


def error(socket: ClientConnection) -> dict[str, Any]:
    told = hear(socket, "error")
    assert "\n" not in told["message"]
    return told


def created(socket: ClientConnection, **options: Any) -> dict[str, Any]:
    say(socket, type="session.create", **options)
    return hear(socket, "session.created")


def test_a_session_says_what_there_is(socket: ClientConnection) -> None:
    about = created(socket)
    assert about["protocol"] == 1
    assert about["limits"]["max_frame_bytes"] == 256 * 1024
    assert {channel["role"] for channel in about["channels"]} == {"input", "output", "thought"}
    assert "interrupt" in about["capabilities"]


def test_a_turn(socket: ClientConnection) -> None:
    created(socket, settings={"max_rows": 40})
    say(socket, type="input.append", text="What is 2 + 3?", event_id="a")
    assert hear(socket, "input.queued")["text"] == "What is 2 + 3?"
    rows = hear(socket, "rows")["rows"]
    assert rows[0]["index"] == 0
    assert hear(socket, "turn.ended")["turn"] == 1
    say(socket, type="close")
    assert hear(socket, "session.closed")["reason"] == "client"
    assert closing(socket) == (1000, "client")


def test_many_events_may_be_said_at_once(socket: ClientConnection) -> None:
    """A client need not wait for `session.created` before it goes on."""
    say(socket, type="session.create", settings={"max_rows": 40})
    say(socket, type="input.append", text="Hello.")
    say(socket, type="close")
    assert closing(socket) == (1000, "client")


@pytest.mark.parametrize(
    "frame", ["", "{", "null", "[]", '"hold"', "{}", '{"type": "nothing"}', '{"type": 1}',
              '{"type": "hold", "more": 1}', "[" * 10_000, '{"type": "rewind", "row": -1}',
              '{"type": "rewind", "row": true}', '{"type": "input.append", "text": "\\ud800"}',
              '{"type": "step", "rows": 1e400}', '{"type": "step", "rows": ' + "9" * 5000 + "}",
              '{"type": "hold", "event_id": "' + "x" * 129 + '"}'],
)  # fmt: skip
def test_nonsense_is_answered_and_the_session_goes_on(served: Served, frame: str) -> None:
    with served.connect() as socket:
        socket.send(frame)
        assert error(socket)["code"] == "protocol"
        created(socket)
        socket.send(frame)
        assert error(socket)["seq"] >= 0
        say(socket, type="hold")
        assert hear(socket, "session.updated")


def test_an_error_names_the_event(socket: ClientConnection) -> None:
    say(socket, type="rewind", event_id="first")  # no row
    assert error(socket)["event_id"] == "first"
    created(socket)
    say(socket, type="nothing", event_id="second")
    assert error(socket)["event_id"] == "second"
    say(socket, type="rewind", row=999, event_id="third")
    assert error(socket)["event_id"] == "third"
    say(socket, type="inject", channel="Nobody", text="x", event_id="fourth")
    assert error(socket)["event_id"] == "fourth"


def test_the_wrong_order(socket: ClientConnection) -> None:
    say(socket, type="hold")
    assert "expected session.create" in error(socket)["message"]
    created(socket)
    say(socket, type="session.create", event_id="again")
    assert error(socket)["event_id"] == "again"
    say(socket, type="session.resume", token="x", event_id="resume")
    assert error(socket)["event_id"] == "resume"


def test_settings_that_make_no_sense(socket: ClientConnection) -> None:
    for settings in (
        {"sampling": {"temperature": -1.0}}, {"ablate": ["Nobody"]}, {"max_rows": 0}, {"seed": -1},
        {"sampling": {"top_p": float("nan")}},
    ):  # fmt: skip
        say(socket, type="session.create", settings=settings, event_id="e")
        assert error(socket)["event_id"] == "e"
    say(socket, type="session.create", context_rows=10**9)
    assert "context_rows" in error(socket)["message"]
    created(socket)


def test_an_unknown_token_ends_it(socket: ClientConnection) -> None:
    say(socket, type="session.resume", token="nobodys", event_id="r")
    assert error(socket)["event_id"] == "r"
    assert closing(socket)[0] == 1008


def test_a_text_that_is_too_long_is_refused(serve: Serve) -> None:
    with serve(max_text_bytes=1024).connect() as socket:
        created(socket)
        say(socket, type="input.append", text="é" * 513, event_id="long")
        assert error(socket)["event_id"] == "long"


def test_whoever_says_nothing_is_let_go(serve: Serve) -> None:
    served = serve(first_event_s=0.3)
    with served.connect() as socket:
        start_s = time.monotonic()
        assert closing(socket) == (1008, "no session within 0.3 s")
        assert time.monotonic() - start_s >= 0.25
    with served.connect() as socket:  # nor does nonsense keep the door open
        while True:
            try:
                socket.send("nonsense")
            except ConnectionClosed:
                break
            time.sleep(0.05)
        assert closing(socket)[0] == 1008


def test_binary_frames_end_it(socket: ClientConnection) -> None:
    created(socket)
    socket.send(b'{"type": "hold"}')
    assert closing(socket)[0] == 1003


def test_a_frame_too_large_ends_it(serve: Serve) -> None:
    served = serve(max_frame_bytes=2000)
    for parts in (["x" * 2001], ["x" * 1001, "x" * 1001]):
        with served.connect() as socket:
            created(socket)
            with contextlib.suppress(ConnectionClosed):  # the server need not wait for the rest
                socket.send(iter(parts))
            assert closing(socket)[0] == 1009


def test_a_flood_ends_it(serve: Serve) -> None:
    with serve(event_rate=20.0).connect() as socket:
        created(socket)
        with contextlib.suppress(ConnectionClosed):
            for _ in range(10_000):
                say(socket, type="hold")
        assert closing(socket) == (1008, "more than 20 events a second")


def test_only_nonsense_ends_it(serve: Serve) -> None:
    with serve(event_rate=0.0).connect() as socket:
        created(socket)
        for _ in range(100):
            socket.send("nonsense")
        assert closing(socket)[0] == 1008


def test_silence_has_heartbeats(serve: Serve) -> None:
    with serve(heartbeat_s=1.0).connect() as socket:
        created(socket)
        assert hear(socket, "heartbeat")["row"] == 0
        assert hear(socket, "heartbeat")["type"] == "heartbeat"


def test_a_full_server_has_a_line(serve: Serve) -> None:
    served = serve(max_sessions=1, max_waiting=1)
    with served.connect() as first, served.connect() as second, served.connect() as third:
        created(first)
        say(second, type="session.create")
        assert hear(second, "session.waiting")["position"] == 1
        assert served.get("/health").json()["waiting"] == 1
        say(third, type="session.create")
        assert error(third)["code"] == "server_full"
        assert closing(third)[0] == 1013
        say(first, type="close", delete=True)
        assert hear(second, "session.created")["is_new"]


def test_whoever_leaves_the_line_takes_no_place(serve: Serve) -> None:
    served = serve(max_sessions=1, max_waiting=1)
    with served.connect() as first:
        created(first)
        with served.connect() as second:
            say(second, type="session.create")
            hear(second, "session.waiting")
        deadline_s = time.monotonic() + 10
        while served.get("/health").json()["waiting"] and time.monotonic() < deadline_s:
            time.sleep(0.05)
        with served.connect() as third:
            say(third, type="session.create")
            assert hear(third, "session.waiting")["position"] == 1
            say(first, type="close", delete=True)
            assert hear(third, "session.created")["is_new"]


def test_a_second_connection_replaces_the_first(served: Served) -> None:
    with served.connect() as first, served.connect() as second:
        token = created(first)["resume_token"]
        say(second, type="session.resume", token=token)
        assert not hear(second, "session.created")["is_new"]
        assert hear(first, "session.closed")["reason"] == "replaced"
        assert closing(first) == (4000, "replaced")
        say(second, type="hold")
        assert hear(second, "session.updated")["is_held"] in (True, False)


def test_stopping_lets_turns_end(serve: Serve) -> None:
    served = serve(drain_s=30.0)
    with served.connect() as talking, served.connect() as resting:
        created(talking, settings={"max_rows": 60, "pace": 10.0})
        created(resting)
        say(talking, type="hold")
        say(talking, type="input.append", text="Tell me of the sea.")
        hear(talking, "turn.started")
        served.server.stop()
        assert hear(talking, "going_away")["drain_s"] == 30.0
        assert hear(resting, "going_away")
        refusing_new_work(served)
        say(talking, type="input.append", text="And of the sky.", event_id="late")
        assert error(talking)["event_id"] == "late"
        assert hear(talking, "turn.ended")["reason"] != "interrupted"
        assert hear(talking, "session.closed")["reason"] == "shutdown"
        assert closing(talking) == (1001, "shutdown")
        assert closing(resting) == (1001, "shutdown")
    served.thread.join(10)
    assert not served.thread.is_alive()


def refusing_new_work(served: Served) -> None:
    health = served.get("/health")
    assert (health.status_code, health.json()["status"]) == (503, "draining")
    refused = served.post("/tokenize", json={"prompt": "x"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
    with pytest.raises(InvalidStatus) as no_socket:
        served.connect()
    assert no_socket.value.response.status_code == 503


def test_stopping_waits_only_so_long(serve: Serve) -> None:
    served = serve(drain_s=0.5)
    with served.connect() as socket:
        created(socket, settings={"max_rows": 2000, "pace": 2.0})
        say(socket, type="input.append", text="Tell me of the sea.")
        hear(socket, "turn.started")
        start_s = time.monotonic()
        served.server.stop()
        assert closing(socket) == (1001, "shutdown")
        served.thread.join(20)
        assert 0.4 < time.monotonic() - start_s < 20
        assert not served.thread.is_alive()


def test_a_second_signal_stops_at_once(serve: Serve) -> None:
    served = serve(drain_s=600.0)
    with served.connect() as socket:
        created(socket, settings={"max_rows": 2000, "pace": 2.0})
        say(socket, type="input.append", text="Tell me of the sea.")
        hear(socket, "turn.started")
        served.server.stop()
        hear(socket, "going_away")
        served.server.stop()
        served.thread.join(20)
        assert not served.thread.is_alive()


def test_stopping_lets_requests_end(serve: Serve) -> None:
    served = serve(drain_s=30.0)
    request = {"model": "motet-tiny", "messages": [{"role": "user", "content": "Hi."}],
               "max_tokens": 40, "stream": True}  # fmt: skip
    with httpx.stream(
        "POST", served.url + "/v1/chat/completions", json=request, timeout=60, trust_env=False
    ) as answer:
        lines = answer.iter_lines()
        assert next(lines).startswith("data: ")
        served.server.stop()
        assert "data: [DONE]" in list(lines)


def test_what_is_of_the_moment_repeats_the_seq(socket: ClientConnection) -> None:
    created(socket)
    say(socket, type="hold")
    seq = hear(socket, "session.updated")["seq"]
    socket.send("nonsense")
    assert hear(socket, "error")["seq"] >= seq
