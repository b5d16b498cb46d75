from __future__ import annotations

import asyncio
import io
import json
import logging
import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import structlog
from fastapi import APIRouter, FastAPI, WebSocket
from fastapi.responses import StreamingResponse

from motet.server.logs import LogForm, LogLevel, configure_logs, log
from motet.server.metrics import ServerMetrics
from motet.server.observing import ObserveRequests


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    handlers, level, hook = logging.root.handlers, logging.root.level, threading.excepthook
    stream = io.StringIO()
    configure_logs(LogForm.JSON, LogLevel.INFO, stream)
    yield stream
    structlog.reset_defaults()
    logging.root.handlers, threading.excepthook = handlers, hook
    logging.root.setLevel(level)


@pytest.fixture
def metrics() -> ServerMetrics:
    return ServerMetrics(["Output"])


@pytest.fixture
def app(metrics: ServerMetrics) -> FastAPI:
    router = APIRouter(prefix="/v1")

    @router.get("/things/{name}")
    async def thing(name: str) -> str:
        log.info("inside", model="m")
        return name

    @router.get("/slow")
    async def slow() -> StreamingResponse:
        async def pieces() -> AsyncIterator[str]:
            yield "a"
            await asyncio.sleep(0.05)
            yield "b"

        return StreamingResponse(pieces())

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret words")

    @router.get("/health")
    async def health() -> None: ...

    @router.websocket("/live")
    async def live(socket: WebSocket) -> None:
        await socket.accept()
        await socket.close()

    app = FastAPI()
    app.include_router(router)
    app.add_middleware(ObserveRequests, metrics=metrics)
    return app


async def _get(app: FastAPI, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path)


def _count(metrics: ServerMetrics, route: str, status: str) -> float | None:
    labels = {"route": route, "method": "GET", "status": status}
    return metrics.registry.get_sample_value("motet_http_requests_total", labels)


async def test_a_request_has_an_id_in_its_answer_and_its_records(
    app: FastAPI, metrics: ServerMetrics, stream: io.StringIO
) -> None:
    first, second = await _get(app, "/v1/things/secret-name"), await _get(app, "/v1/things/x")
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    ids = [answer.headers["x-request-id"] for answer in (first, second)]
    assert len(set(ids)) == 2
    assert [r["request_id"] for r in records] == [ids[0], ids[0], ids[1], ids[1]]
    assert [r["event"] for r in records] == ["inside", "request"] * 2
    assert records[1]["route"] == "/v1/things/{name}"
    assert records[1]["status"] == 200
    assert "secret" not in stream.getvalue()
    assert _count(metrics, "/v1/things/{name}", "200") == 2


async def test_an_unknown_path_is_counted_under_one_name(
    app: FastAPI, metrics: ServerMetrics, stream: io.StringIO
) -> None:
    for path in ("/a", "/b?key=secret", "/v1/live"):
        assert (await _get(app, path)).status_code == 404
    assert _count(metrics, "unmatched", "404") == 3
    assert "secret" not in stream.getvalue()


async def test_a_stream_is_timed_to_its_end(
    app: FastAPI, metrics: ServerMetrics, stream: io.StringIO
) -> None:
    assert (await _get(app, "/v1/slow")).text == "ab"
    assert json.loads(stream.getvalue())["seconds"] >= 0.05


async def test_a_bug_is_a_500_without_its_words(
    app: FastAPI, metrics: ServerMetrics, stream: io.StringIO
) -> None:
    assert (await _get(app, "/v1/broken")).status_code == 500
    assert _count(metrics, "/v1/broken", "500") == 1
    assert "secret" not in stream.getvalue()


async def test_a_socket_counts_when_it_ends(
    app: FastAPI, metrics: ServerMetrics, stream: io.StringIO
) -> None:
    sent: list[str] = []
    messages = iter([{"type": "websocket.connect"}])

    async def receive() -> dict[str, str]:
        return next(messages)

    async def send(message: dict[str, object]) -> None:
        sent.append(str(message["type"]))

    scope = {
        "type": "websocket", "path": "/v1/live", "raw_path": b"/v1/live", "query_string": b"",
        "headers": [], "subprotocols": [], "scheme": "ws",
    }  # fmt: skip
    await app(scope, receive, send)  # type: ignore[arg-type]
    assert sent == ["websocket.accept", "websocket.close"]
    assert _count(metrics, "/v1/live", "101") == 1
