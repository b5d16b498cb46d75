"""What a server's no means: for ever, or try again later."""

from __future__ import annotations

import json

from websockets.exceptions import InvalidStatus

from motet.errors import ServerError
from motet.protocol.server_events import ErrorEvent

__all__ = ["LaterError", "handshake_refusal", "session_refusal"]

_LATER_STATUSES = (408, 425, 429, 500, 502, 503, 504)
_LATER_CODES = ("server", "server_full", "draining", "rate_limit_exceeded")


class LaterError(ServerError):
    """The server can't be reached or is full; that may change."""


def handshake_refusal(url: str, refused: InvalidStatus) -> ServerError:
    """What a server that answered with an HTTP status instead of a socket meant."""
    status = refused.response.status_code
    kind = LaterError if status in _LATER_STATUSES else ServerError
    fix = "give an API key that it knows" if status in (401, 403) else None
    return kind(url, got=f"{status} {_said(refused)}".rstrip(), fix=fix)


def session_refusal(url: str, error: ErrorEvent) -> ServerError:
    """What a server meant that answered `session.create` or `session.resume` with an error."""
    kind = LaterError if error.code in _LATER_CODES else ServerError
    return kind(f"{url}: {error.message}")


def _said(refused: InvalidStatus) -> str:
    """The message of an error in OpenAI's shape, or the phrase of the status."""
    phrase = refused.response.reason_phrase
    try:
        error = json.loads(refused.response.body or b"")["error"]
        return str(error["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return phrase
