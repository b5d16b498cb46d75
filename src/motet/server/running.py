"""One process that listens, serves until it is told to stop, and stops without losing a word.

SIGTERM or SIGINT: new work is refused, clients hear `going_away`, turns and requests that run may
end within `drain_s`; then sockets close with 1001 and the process ends with exit code 0. A second
signal cuts the wait short.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import uvicorn

from motet.engine import Engine
from motet.errors import ServerError
from motet.server.app import build_app
from motet.server.config import ServerConfig
from motet.server.patience import patient_protocols
from motet.server.state import ServerState

__all__ = ["LiveServer", "listen", "url_of"]

_CLOSE_S = 3
_LOOK_S = 0.05
_BACKLOG = 128
_PING_S = 20.0
_PONG_S = 120.0
_SWITCH_S = 0.0005
"""The decode thread comes back from a row's products to the interpreter lock; by Python's default
it might wait 5 ms for the event loop to let go of it, half a row."""


def listen(config: ServerConfig) -> socket.socket:
    """A socket bound to the configured address; ServerError if there is no way to."""
    place = f"{config.host}:{config.port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            config.host, config.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
    except OSError as error:
        raise _unfit(place, error) from None
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise _unfit(place, error) from None
    return bound


def _unfit(place: str, error: OSError) -> ServerError:
    got = (error.strerror or "").lower()
    if error.errno in (errno.EADDRINUSE, errno.EACCES):
        fix = "choose another with --port, 0 takes a free one"
        return ServerError(place, expected="a free port", got=got, fix=fix)
    return ServerError(place, expected="an address of this machine", got=got)


def url_of(bound: socket.socket) -> str:
    """Where a browser on this machine finds what listens on `bound`."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class LiveServer(uvicorn.Server):
    """A server of `engine` on a bound socket. `run_until_stopped` blocks; `stop` ends it."""

    def __init__(self, config: ServerConfig, engine: Engine[Any], bound: socket.socket) -> None:
        app = build_app(config, engine)
        self.state: ServerState = app.state.motet
        self._bound = bound
        self._is_hurried = False
        http, websocket = patient_protocols(config)
        super().__init__(
            uvicorn.Config(
                app, http=http, ws=websocket, loop="asyncio", lifespan="on", log_config=None,
                access_log=False, server_header=False, proxy_headers=False,
                ws_max_size=config.max_frame_bytes, ws_ping_interval=_PING_S,
                ws_ping_timeout=_PONG_S, ws_per_message_deflate=False,
                h11_max_incomplete_event_size=config.max_header_bytes + config.max_url_bytes,
                timeout_graceful_shutdown=_CLOSE_S,
            )
        )  # fmt: skip

    def run_until_stopped(self, when_ready: Callable[[], None] | None = None) -> None:
        """Serve until a signal or `stop`, then drain; when_ready is called once it listens."""
        self._when_ready = when_ready
        before_s = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            self.run([self._bound])
        finally:
            sys.setswitchinterval(before_s)

    def stop(self) -> None:
        """Tell the server to drain and end, from any thread; a second time: at once."""
        self.handle_exit(signal.SIGTERM, None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        if self._when_ready is not None:
            self._when_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what runs end, then close everything."""
        self.state.is_draining = True
        draining = asyncio.create_task(self._drain())
        while not draining.done() and not self._is_hurried:
            await asyncio.wait([draining], timeout=_LOOK_S)
        draining.cancel()
        await asyncio.gather(draining, return_exceptions=True)
        await self.state.close()
        await self._wait_until_empty(_CLOSE_S)
        await super().shutdown(sockets)

    async def _drain(self) -> None:
        drain_s = self.state.config.drain_s
        start_s = time.monotonic()
        await self.state.hub.drain(drain_s)
        await self._wait_until_empty(start_s + drain_s - time.monotonic())

    async def _wait_until_empty(self, seconds: float) -> None:
        end_s = time.monotonic() + seconds
        while self.state.num_inside and time.monotonic() < end_s:
            await asyncio.sleep(_LOOK_S)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Drain at the first signal, stop waiting at the second."""
        self._is_hurried = self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take the signals while serving, in the main thread; they end this server only."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        taken = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in taken}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
