"""What every request passes: hosts, origins, keys, rates, sizes; and what answers carry."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus

from tests.server.front.conftest import Serve, Served, hear, say

KEY = "a-key-for-tests"


def error_of(response: httpx.Response) -> dict[str, Any]:
    """The error, in the one shape that all have."""
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert "\n" not in body["error"]["message"]
    error: dict[str, Any] = body["error"]
    return error


def raw(served: Served, data: bytes) -> bytes:
    """All that comes back for these bytes."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as line:
        line.sendall(data)
        answer = b""
        while part := line.recv(65536):
            answer += part
        return answer


def test_health(served: Served) -> None:
    health = served.get("/health")
    assert health.status_code == 200
    assert health.json()["status"] == "ok"
    assert health.json()["model"] == "motet-tiny"


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/", "/nothing"])
def test_a_foreign_host_is_refused_everywhere(served: Served, path: str) -> None:
    answer = served.get(path, headers={"host": "evil.example"})
    assert (answer.status_code, error_of(answer)["code"]) == (421, "unknown_host")


def test_a_request_without_a_host_is_refused(served: Served) -> None:
    assert raw(served, b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 421 ")


def test_a_foreign_page_can_change_nothing_and_read_nothing(served: Served) -> None:
    foreign = {"origin": "https://evil.example"}
    for path in ("/v1/chat/completions", "/tokenize", "/nothing"):
        answer = served.post(path, json={}, headers=foreign)
        assert (answer.status_code, error_of(answer)["code"]) == (403, "foreign_origin")
    preflight = httpx.options(
        served.url + "/v1/models", headers={**foreign, "access-control-request-method": "GET"},
        trust_env=False,
    )  # fmt: skip
    assert preflight.status_code == 403
    for answer in (preflight, served.get("/v1/models", headers=foreign)):
        assert not [name for name in answer.headers if name.startswith("access-control")]
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"


def test_a_form_of_a_foreign_page_is_refused_without_an_origin_too(served: Served) -> None:
    answer = served.post("/tokenize", content=b"a=b", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:1"])
def test_a_foreign_page_gets_no_socket(served: Served, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        served.connect(origin=origin)
    assert refused.value.response.status_code == 403
    assert b"foreign_origin" in refused.value.response.body


def test_the_own_page_gets_a_socket(served: Served) -> None:
    with served.connect(origin=served.url, subprotocols=["motet.v1"]) as live:
        assert live.subprotocol == "motet.v1"
        say(live, type="session.create")
        assert hear(live, "session.created")["is_new"]


def test_an_allowed_page_may_ask(serve: Serve) -> None:
    served = serve(allow_origins=("https://friend.example",))
    friend = {"origin": "https://friend.example"}
    answer = served.get("/v1/models", headers=friend)
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert served.post("/tokenize", json={}, headers=friend).status_code == 400
    asked = {"access-control-request-method": "POST",
             "access-control-request-headers": "authorization"}  # fmt: skip
    preflight = httpx.options(served.url + "/tokenize", headers=friend | asked, trust_env=False)
    assert preflight.status_code == 200
    with served.connect(origin="https://friend.example"):
        pass
    stranger = served.get("/v1/models", headers={"origin": "https://stranger.example"})
    assert "access-control-allow-origin" not in stranger.headers
    assert served.post(
        "/tokenize", json={}, headers={"origin": "https://stranger.example"}
    ).status_code == 403  # fmt: skip


def test_keys(serve: Serve) -> None:
    served = serve(api_keys=("another-key", KEY))
    with_key = {"authorization": f"Bearer {KEY}"}
    for path in ("/v1/models", "/metrics", "/openapi.json", "/nothing"):
        refused = served.get(path)
        assert (refused.status_code, error_of(refused)["code"]) == (401, "invalid_api_key")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert served.get(path, headers=with_key).status_code != 401
    assert served.get("/v1/models", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert served.get("/health").status_code == 200
    assert served.get("/").status_code == 200
    assert served.post("/").status_code == 405


def test_keys_of_sockets(serve: Serve) -> None:
    served = serve(api_keys=(KEY,))
    with pytest.raises(InvalidStatus) as refused:
        served.connect(subprotocols=["motet.v1", "motet-key.wrong-key"])
    assert refused.value.response.status_code == 401
    with served.connect(subprotocols=["motet.v1", f"motet-key.{KEY}"]) as live:
        assert live.subprotocol == "motet.v1"
    with served.connect(additional_headers={"authorization": f"Bearer {KEY}"}) as live:
        assert live.subprotocol is None
    with pytest.raises(InvalidStatus) as refused:
        served.connect(additional_headers={"authorization": f"Bearer {KEY[:-1]}"})
    assert refused.value.response.status_code == 401


def test_whoever_comes_too_often_waits(serve: Serve) -> None:
    served = serve(rate=0.01)
    assert served.get("/v1/models").status_code == 200
    refused = served.get("/v1/models")
    assert (refused.status_code, error_of(refused)["code"]) == (429, "rate_limit_exceeded")
    assert 50 < int(refused.headers["retry-after"]) <= 100
    with pytest.raises(InvalidStatus) as no_socket:
        served.connect()
    assert no_socket.value.response.status_code == 429
    assert served.get("/health").status_code == 200


def test_guessing_keys_is_slow(serve: Serve) -> None:
    served = serve(rate=0.01, api_keys=(KEY,))
    statuses = [
        served.get("/v1/models", headers={"authorization": f"Bearer guess-{n}"}).status_code
        for n in range(3)
    ]
    assert statuses == [401, 429, 429]


def test_large_bodies(serve: Serve) -> None:
    served = serve(max_body_bytes=2000)
    fits = {"model": "motet-tiny", "prompt": "x" * 1000}
    assert served.post("/tokenize", json=fits).status_code != 413
    declared = served.post("/tokenize", content=b" " * 2001)
    assert (declared.status_code, error_of(declared)["code"]) == (413, "too_large")
    chunked = served.post("/tokenize", content=iter([b" " * 1000] * 3))
    assert chunked.status_code == 413
    only_declared = raw(
        served, b"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000000\r\n\r\n"
    )
    assert only_declared.startswith(b"HTTP/1.1 413 ")


def test_deep_bodies(served: Served) -> None:
    json_headers = {"content-type": "application/json"}
    for body in (b"[" * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40):
        answer = served.post("/tokenize", content=body, headers=json_headers)
        assert (answer.status_code, error_of(answer)["code"]) == (400, "too_deep")
    shallow = b'{"prompt": "' + b"[" * 1000 + b'"}'
    answer = served.post("/tokenize", content=shallow, headers=json_headers)
    assert b"too_deep" not in answer.content


@pytest.mark.parametrize(
    "body", [b"", b"{", b"nul", b'"\\ud800"', b'{"prompt": "\\ud800"}', b"\xff\xfe", b"[NaN]",
             b'{"prompt": 1' + b"0" * 5000 + b"}", b'{"\\u0000": 1}'],
)  # fmt: skip
def test_broken_bodies_are_refused(served: Served, body: bytes) -> None:
    answer = served.post("/tokenize", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    error_of(answer)


def test_long_urls_and_headers(served: Served) -> None:
    assert served.get("/v1/models?" + "a" * 2100).status_code == 414
    assert served.get("/" + "a" * 2100).status_code == 414
    many = {f"x-{n}": "1" for n in range(80)}
    assert served.get("/v1/models", headers=many).status_code == 431
    assert served.get("/v1/models", headers={"x": "a" * 17_000}).status_code in (400, 431)
    endless = raw(served, b"GET / HTTP/1.1\r\nHost: localhost\r\nx: " + b"a" * 100_000)
    assert endless.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/../../etc/passwd", 404),
     ("GET", "/page/..%2f..%2fapp.py", 404), ("GET", "/page/%2e%2e/app.py", 404),
     ("DELETE", "/health", 405), ("GET", "/tokenize", 405), ("POST", "/v1/models", 405)],
)  # fmt: skip
def test_what_is_not_there(served: Served, method: str, path: str, status: int) -> None:
    line = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    head, _, body = raw(served, line.encode()).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert body.startswith(b'{"error":')
    assert (b"allow: " in head.lower()) == (status == 405)


@pytest.mark.parametrize("path", ["/health", "/v1/models", "/nothing", "/"])
def test_headers_of_every_answer(served: Served, path: str) -> None:
    headers = served.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_no_page_loads_from_elsewhere(served: Served, path: str) -> None:
    assert served.get(path).status_code == 404
