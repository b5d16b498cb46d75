"""Which web pages may talk to this server, and under which names it may be reached.

A page that a user visits can send requests to programs on the user's own machine. The browser
says where they come from (`Origin`), and a page may not read the answers of another origin, except
by DNS rebinding: its own name then leads to this machine. So a name must be one that this server
is known by (`Host`), and an origin must be the server's own or a foreign one that was allowed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from motet.errors import SettingError

__all__ = ["check_host_name", "check_origin", "is_known_host", "is_loopback", "is_own_origin"]

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?\.?")


def is_loopback(host: str) -> bool:
    """Whether only programs on this machine can reach `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_origin(origin: str) -> str:
    """An origin as browsers write it; SettingError if `origin` is none."""
    parts = urlsplit(origin)
    try:
        is_origin = parts.scheme in ("http", "https") and bool(parts.hostname)
        port = parts.port
    except ValueError:
        is_origin, port = False, None
    if not is_origin or parts.path.strip("/") or parts.query or parts.fragment or "@" in origin:
        raise SettingError("--allow-origin", expected="http(s)://host[:port]", got=repr(origin))
    usual = {"http": 80, "https": 443}[parts.scheme]
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + ("" if port in (None, usual) else f":{port}")


def check_host_name(name: str) -> str:
    """A host's name in lower case; SettingError if `name` is none."""
    if not _NAME.fullmatch(name.lower()):
        raise SettingError("--allow-host", expected="a host name without a port", got=repr(name))
    return name.lower()


def is_known_host(header: str, names: Collection[str]) -> bool:
    """Whether a `Host` header names this server: localhost, a plain address or one of `names`.

    A plain address can't be rebound: the browser went where the page's own address says.
    """
    try:
        parts = urlsplit(f"//{header}")
        host = parts.hostname
        _ = parts.port
    except ValueError:
        return False
    if not host or parts.path or parts.query or parts.fragment or "@" in header:
        return False
    if host == "localhost" or host in names:
        return True
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_own_origin(headers: Headers, allowed: Collection[str]) -> bool:
    """Whether a request that may change something comes from no page, our own or an allowed one."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    if origin in allowed:
        return True
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == headers.get("host", "").lower()
