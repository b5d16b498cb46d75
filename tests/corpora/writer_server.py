"""A real HTTP server that answers chat completions with what a test has prepared."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Body = dict[str, Any]


@dataclass
class Reply:
    """One answer. raw: bytes in place of a completion; drops: the line is cut without a word."""

    text: str | None = ""
    finish: str | None = "stop"
    status: int = 200
    usage: tuple[int, int] | None = (100, 50)
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drops: bool = False
    pause_s: float = 0.0
    refusal: str | None = None
    error: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps(
                {"error": {"message": f"status {self.status}", **self.error}}
            ).encode()
        message = {"role": "assistant", "content": self.text, "refusal": self.refusal}
        completion: dict[str, Any] = {
            "id": "c", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{"index": 0, "message": message, "finish_reason": self.finish}],
        }  # fmt: skip
        if self.usage is not None:
            prompt, answer = self.usage
            completion["usage"] = {"prompt_tokens": prompt, "completion_tokens": answer}
        return json.dumps(completion).encode()


Answer = Callable[[Body, int], Reply]
"""From the body of a request and its number (from 0) to the reply."""


class WriterServer:
    """`with WriterServer(answer) as server`: `server.url`, and what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Body] = []
        self.keys: list[str | None] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                outer._handle(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        with self._lock:
            number = len(self.asked)
            self.asked.append(body)
            self.keys.append(handler.headers.get("authorization"))
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            reply = self.answer(body, number)
            time.sleep(reply.pause_s)
        finally:
            with self._lock:
                self._at_once -= 1
        if reply.drops or handler.path != "/v1/chat/completions":
            handler.close_connection = True
            return
        content = reply.content()
        handler.send_response(reply.status)
        for name, value in {"content-type": "application/json", **reply.headers}.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content)
