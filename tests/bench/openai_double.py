"""A small OpenAI server whose streams are given, to see what its users make of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Chunk = dict[str, Any] | str
"""An object of the stream, or a line as it is."""


def said(text: str = "", thought: str = "", **more: object) -> Chunk:
    delta = {"content": text} if text else {"reasoning_content": thought}
    return {"choices": [{"index": 0, "delta": delta | more}]}


def usage(total: int, **details: object) -> Chunk:
    return {"choices": [], "usage": {"completion_tokens": total,
            "completion_tokens_details": details or None}}  # fmt: skip


@dataclass
class OpenAIDouble:
    """Answers every request with the next of `streams`, the last one again and again."""

    streams: Sequence[Sequence[Chunk]]
    status: int = 200
    models: Sequence[str] = ("first", "second")
    pause_s: float = 0.0
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    num_left: int = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._answer(reader, writer)
        except ConnectionError:
            self.num_left += 1
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.splitlines()[1:] if ": " in line)
        headers = {name.lower(): value for name, value in headers.items()}
        path = head.split()[1]
        if path == "/v1/models":
            data = json.dumps({"data": [{"id": name} for name in self.models]})
            writer.write(_head(200, "application/json") + data.encode())
            return
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        stream = self.streams[min(len(self.asked), len(self.streams) - 1)]
        self.asked.append((path, body))
        self.keys.append(headers.get("authorization"))
        writer.write(_head(self.status, "text/event-stream"))
        for chunk in stream:
            line = chunk if isinstance(chunk, str) else f"data: {json.dumps(chunk)}"
            writer.write(f"{line}\n\n".encode())
            await writer.drain()
            await asyncio.sleep(self.pause_s)


def _head(status: int, kind: str) -> bytes:
    return f"HTTP/1.1 {status} x\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n".encode()
