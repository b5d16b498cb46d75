"""Whatever is said to a server at its most talkative, its logs and metrics hold no word of it."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.server.front.conftest import hear, say
from tests.server.process import ServerProcess

KEY = "key-of-the-house-1234"
WORDS = "marmalade in the attic"
WORD = "marmalade"


@pytest.mark.slow
def test_no_key_no_token_and_no_word_is_logged(tmp_path: Path) -> None:
    options = ["--journal", str(tmp_path / "j.sqlite"), "--log-level", "debug", "--rate", "0"]
    server = ServerProcess(tmp_path / "log", *options, MOTET_API_KEYS=KEY)
    secrets = [KEY, WORD]
    try:
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as anybody:
            assert anybody.get(f"/v1/models?key={KEY}").status_code == 401
            wrong = {"authorization": f"Bearer wrong-{WORD}"}
            assert anybody.get("/v1/models", headers=wrong).status_code == 401
        with httpx.Client(
            base_url=server.url, timeout=60, trust_env=False,
            headers={"authorization": f"Bearer {KEY}"},
        ) as http:  # fmt: skip
            model = {"model": "motet-tiny"}
            chat = {**model, "messages": [{"role": "user", "content": WORDS}], "max_tokens": 20}
            taken = [
                http.post("/v1/chat/completions", json=chat),
                http.post("/v1/chat/completions", json={**chat, "stream": True}),
                http.post("/v1/completions", json={**model, "prompt": WORDS, "max_tokens": 20}),
                http.post("/v1/responses", json={**model, "input": WORDS}),
                http.post("/tokenize", json={"prompt": WORDS}),
            ]
            assert [answer.status_code for answer in taken] == [200] * 5
            http.post("/v1/chat/completions", json={**chat, WORD: 1})
            http.post("/v1/chat/completions", json={**chat, "messages": WORDS})
            assert http.post("/v1/chat/completions", content=f"{{{WORDS}").status_code == 400
            http.get(f"/v1/sessions/{WORD}")
            http.get(f"/{WORD}?{WORD}={KEY}")
            http.request(WORD.upper(), "/health")
            with contextlib.suppress(InvalidStatus), connect(server.live_url, proxy=None):
                pass
            with connect(
                f"{server.live_url}?{WORD}", subprotocols=["motet.v1", f"motet-key.{KEY}"],  # type: ignore[list-item]
                proxy=None,
            ) as socket:  # fmt: skip
                socket.send(f"{{{WORDS}")
                say(socket, type=WORD)
                say(socket, type="session.create", system=WORDS)
                created = hear(socket, "session.created")
                secrets.append(created["resume_token"])
                say(socket, type="input.append", text=WORDS)
                hear(socket, "turn.ended")
                say(socket, type="inject", channel=WORD, text=WORDS)
                hear(socket, "error")
                say(socket, type="fork")
                secrets.append(hear(socket, "session.forked")["resume_token"])
                say(socket, type="interrupt", text=WORDS)
                hear(socket, "turn.started")
                with connect(server.live_url, subprotocols=[f"motet-key.{KEY}"], proxy=None) as two:  # type: ignore[list-item]
                    say(two, type="session.resume", token=WORDS, after_seq=0)
                    hear(two, "error")
                    socket.close()
            exported = http.get(f"/v1/sessions/{created['session_id']}/export").text
            counted = http.get("/metrics").text
        logged = server.log.read_text()
    finally:
        spoken = server.close()
    assert WORD in exported
    assert 'motet_http_requests_total{method="other"' in counted
    assert len([json.loads(line) for line in logged.splitlines()]) > 15
    for secret in secrets:
        assert secret not in logged
        assert secret.upper() not in logged
        assert secret not in counted
        assert secret not in spoken
    assert KEY.encode() not in b"".join(file.read_bytes() for file in tmp_path.glob("j.sqlite*"))
    assert (tmp_path / "j.sqlite").stat().st_mode & 0o077 == 0
