"""Where a server's live socket is, from what a person types: `localhost:8000`, `https://host`."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from motet.errors import InputError

__all__ = ["http_url", "is_loopback", "live_url"]

_LIVE = "/v1/live"
_SOCKET_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_LOOPBACK = ("localhost", "127.", "[::1]", "::1")


def _parts(url: str) -> SplitResult:
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        is_good = parts.scheme in _SOCKET_SCHEMES and parts.hostname and parts.port != 0
        is_good = is_good and not (parts.username or parts.query or parts.fragment)
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_good = False
    if not is_good:
        raise InputError("server", expected="a URL like http://localhost:8000", got=repr(url))
    return parts


def live_url(url: str) -> str:
    """The WebSocket address of the server at `url`; InputError if it is no address."""
    parts = _parts(url)
    path = parts.path.rstrip("/").removesuffix("/v1")
    path = path if path.endswith(_LIVE) else path + _LIVE
    return f"{_SOCKET_SCHEMES[parts.scheme]}://{parts.netloc}{path}"


def http_url(url: str) -> str:
    """The base address of the server at `url`, without `/v1` or a slash at the end."""
    parts = _parts(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return f"{scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def is_loopback(url: str) -> bool:
    """Whether `url` names this machine: then no proxy is asked."""
    return (_parts(url).hostname or "").startswith(_LOOPBACK)
