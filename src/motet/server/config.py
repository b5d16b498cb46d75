"""What `motet serve` can be told, in one frozen value that every part of the server reads."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from motet.errors import SettingError
from motet.protocol.server_events import Limits

__all__ = ["DEFAULT_CONTEXT_ROWS", "DEFAULT_PORT", "ServerConfig"]

DEFAULT_PORT = 8440  # concert pitch
DEFAULT_CONTEXT_ROWS = 2048


@dataclass(frozen=True)
class ServerConfig:
    """Options of one server; sizes in bytes, times in seconds. Checked when made."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = DEFAULT_PORT
    """Port to listen on; 0 takes a free one."""
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    """Keys of which a client must show one; none: whoever reaches the port may use it."""
    allow_open: bool = False
    """Listen beyond loopback although there is no key."""
    allow_origins: tuple[str, ...] = ()
    """Origins of foreign web pages (`https://host[:port]`) that may talk to this server."""
    allow_hosts: tuple[str, ...] = ()
    """Names, besides `localhost` and plain addresses, under which clients may reach it."""

    max_sessions: int = 64
    """Sessions that decode at the same time, those of HTTP requests included."""
    max_waiting: int = 64
    """Sessions that may wait in line for one of those places."""
    context_rows: int = DEFAULT_CONTEXT_ROWS
    """Rows of a session that does not ask for a number."""
    max_context_rows: int | None = None
    """Rows that a session may ask for; None: what the model can hold."""
    context_policy: Literal["end", "roll"] = "roll"
    """What a session that does not say does when its context is full."""
    idle_s: float = 300.0
    """A live session that nobody is connected to leaves memory after this time."""
    journal: Path | None = None
    """File of the journal; None keeps it in memory, and it is gone with the process."""

    max_connections: int = 512
    """Open connections of all kinds; more are answered with 503."""
    max_frame_bytes: int = 256 * 1024
    """One frame of a live socket."""
    max_text_bytes: int = 64 * 1024
    """One text that a client gives to a model (UTF-8) on a live socket."""
    max_body_bytes: int = 4 * 1024 * 1024
    """The body of one HTTP request."""
    max_json_depth: int = 32
    """How deep arrays and objects of a body may nest."""
    max_url_bytes: int = 2048
    """Path and query of one HTTP request."""
    max_header_bytes: int = 16 * 1024
    """All headers of one HTTP request."""
    rate: float = 100.0
    """Requests and new sockets a second of one client, in the mean; 0 is without limit."""
    event_rate: float = 200.0
    """Events a second on one live socket, in the mean; 0 is without limit."""

    first_event_s: float = 10.0
    """A live socket that has said nothing by then is closed, a request without a head too."""
    heartbeat_s: float = 10.0
    """Time between heartbeats on a live socket."""
    drain_s: float = 10.0
    """How long running turns and requests may go on once the server is told to stop."""

    def __post_init__(self) -> None:
        _check("port", self.port, 0, 65_535)
        for name in ("max_sessions", "max_connections"):
            _check(name, getattr(self, name), 1, 1_000_000)
        _check("max_waiting", self.max_waiting, 0, 1_000_000)
        _check("context_rows", self.context_rows, 2, 10_000_000)
        if self.max_context_rows is not None:
            _check("max_context_rows", self.max_context_rows, self.context_rows, 10_000_000)
        for name in ("max_frame_bytes", "max_text_bytes", "max_body_bytes", "max_header_bytes"):
            _check(name, getattr(self, name), 1024, 2**31 - 1)
        _check("max_url_bytes", self.max_url_bytes, 256, 2**16)
        _check("max_json_depth", self.max_json_depth, 4, 100)
        for name in ("rate", "event_rate", "drain_s"):
            _check(name, getattr(self, name), 0, 1_000_000)
        for name in ("idle_s", "first_event_s", "heartbeat_s"):
            _check(name, getattr(self, name), 0.01, 1_000_000)

    def limits(self, context_rows: int) -> Limits:
        """What `session.created` says of this; context_rows: the most that the model can hold."""
        most = self.max_context_rows
        return Limits(
            context_rows=context_rows if most is None else min(most, context_rows),
            max_frame_bytes=self.max_frame_bytes,
            max_text_bytes=self.max_text_bytes,
            max_sessions=self.max_sessions,
            heartbeat_s=self.heartbeat_s,
        )


def _check(name: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise SettingError(name, expected=f"{low:g} to {high:g}", got=f"{value:g}")
