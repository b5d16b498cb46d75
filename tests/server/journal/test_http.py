"""Sessions over HTTP, on a real server with the embedded model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection

from motet.engine.opening import load
from motet.streams.grid import Grid
from tests.server.front.conftest import Served, hear, say, start
from tests.server.journal.records import files_of


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Served]:
    served = start(load(threads=1), journal=folder / "j.sqlite", rate=0)
    yield served
    served.stop()


@dataclass
class Talk:
    """A socket with a session of its own."""

    socket: ClientConnection
    id: str

    def say(self, **event: Any) -> None:
        say(self.socket, **event)


@contextmanager
def talking(served: Served, text: str) -> Iterator[Talk]:
    """A session that has heard a message and answered."""
    with served.connect() as socket:
        say(socket, type="session.create", settings={"max_rows": 60})
        talk = Talk(socket, hear(socket, "session.created")["session_id"])
        talk.say(type="input.append", text=text)
        hear(socket, "turn.ended")
        yield talk


@pytest.fixture
def talk(served: Served) -> Iterator[Talk]:
    with talking(served, "How many ants are there?") as talk:
        yield talk


def _document(served: Served, session_id: str) -> dict[str, Any]:
    answer = served.get(f"/v1/sessions/{session_id}/export?format=json")
    assert answer.status_code == 200
    document: dict[str, Any] = answer.json()
    return document


def _delete(served: Served, session_id: str) -> httpx.Response:
    return httpx.delete(f"{served.url}/v1/sessions/{session_id}", timeout=20, trust_env=False)


def test_a_session_is_listed_while_it_is_live(served: Served, talk: Talk) -> None:
    page = served.get("/v1/sessions?limit=1").json()
    (session,) = page["data"]
    assert session["id"] == talk.id
    assert session["title"] == "How many ants are there?"
    assert session["rows"] > 5
    assert [channel["name"] for channel in session["channels"]][:2] == ["User", "Output"]
    assert served.get(f"/v1/sessions/{talk.id}").json() == session
    assert served.get("/v1/sessions?limit=1000").json()["has_more"] is False
    with talking(served, "And bees?"):
        page = served.get("/v1/sessions?limit=1").json()
        assert page["has_more"]
        older = served.get(f"/v1/sessions?limit=1&after={page['data'][0]['id']}").json()
        assert older["data"][0]["id"] == talk.id


def test_a_session_is_exported_in_every_form(served: Served, talk: Talk, tmp_path: Path) -> None:
    document = _document(served, talk.id)
    assert document["turns"][0]["channels"]["User"] == "How many ants are there?"
    text = served.get(f"/v1/sessions/{talk.id}/export")
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    assert text.headers["content-disposition"] == f'attachment; filename="motet-{talk.id}.txt"'
    assert "User       How many ants are there?" in text.text
    grid = served.get(f"/v1/sessions/{talk.id}/export?format=grid").content
    (tmp_path / "g.npz").write_bytes(grid)
    tokens = Grid.load(tmp_path / "g.npz").tokens_RC.tolist()
    assert tokens == [row["ids"] for row in document["rows"]]


def test_rewinds_and_forks_are_resolved(served: Served, talk: Talk) -> None:
    before = _document(served, talk.id)["rows"]
    talk.say(type="fork")
    twin = hear(talk.socket, "session.forked")
    talk.say(type="rewind", row=4)
    hear(talk.socket, "session.rewound")
    assert _document(served, twin["session_id"])["rows"] == before
    document = _document(served, talk.id)
    assert document["rows"][:4] == before[:4]
    assert document["cuts"] == [{"to_row": 4, "rows": before[4:]}]
    talk.say(type="close", delete=True)
    hear(talk.socket, "session.closed")
    assert served.get(f"/v1/sessions/{talk.id}").status_code == 404
    assert _document(served, twin["session_id"])["rows"] == before


def test_a_deleted_session_is_gone_everywhere(served: Served, folder: Path) -> None:
    with talking(served, "Quokkas are the secret.") as talk:
        assert b"Quokkas" in files_of(folder / "j.sqlite")
        answer = _delete(served, talk.id)
        assert answer.json() == {"object": "session.deleted", "id": talk.id, "deleted": True}
        assert hear(talk.socket, "session.closed")["reason"] == "deleted"
    for path in (f"/v1/sessions/{talk.id}", f"/v1/sessions/{talk.id}/export"):
        assert served.get(path).status_code == 404
    assert _delete(served, talk.id).status_code == 404
    with talking(served, "Something else."):  # a commit after the reader has left
        assert b"Quokkas" not in files_of(folder / "j.sqlite")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/sessions/nobody", "/v1/sessions/nobody/export", "/v1/sessions/..%2f..%2fetc%2fpasswd",
        "/v1/sessions/../../etc/passwd/export", "/v1/sessions/%00", "/v1/sessions/j.sqlite/export",
        "/v1/sessions/nobody/export?format=/etc/passwd", "/v1/sessions?limit=0",
        "/v1/sessions?limit=x", "/v1/sessions?after=../x", "/v1/sessions/" + "a" * 65,
    ],
)  # fmt: skip
def test_no_request_reaches_the_file_system(served: Served, path: str) -> None:
    answer = served.get(path)
    assert answer.status_code in (400, 404)
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert "root:" not in answer.text


def test_what_is_listed_and_exported_holds_no_token(served: Served) -> None:
    with served.connect() as socket:
        say(socket, type="session.create")
        created = hear(socket, "session.created")
        say(socket, type="fork")
        twin = hear(socket, "session.forked")
        session = f"/{created['session_id']}"
        for path in ("", session, f"{session}/export?format=json"):
            text = served.get(f"/v1/sessions{path}").text
            assert json.loads(text)
            assert created["resume_token"] not in text
            assert twin["resume_token"] not in text


def test_nothing_is_shown_before_it_is_kept(served: Served, talk: Talk) -> None:
    with served.server.state.journal._writing:  # the disk takes its time
        talk.say(type="input.append", text="And how many bees?")
        until_s = time.monotonic() + 1.0
        with suppress(TimeoutError):
            while True:
                frame = json.loads(talk.socket.recv(timeout=max(0.0, until_s - time.monotonic())))
                assert frame["type"] in ("metrics", "heartbeat"), frame
        kept = served.server.state.journal.last_seq(talk.id)
    while (event := json.loads(talk.socket.recv(timeout=20)))["type"] in ("metrics", "heartbeat"):
        pass
    assert event["seq"] == kept + 1
