"""What a server says of its model where its tokenizer is not at hand: channels, and end tokens.

Rows carry ids and texts. A token that adds no text is the end of a message, or the beginning of a
character that a later token completes: only such bytes decode to U+FFFD on their own.
"""

from __future__ import annotations

from typing import Any

import httpx

from motet.client.address import http_url, is_loopback
from motet.errors import ServerError
from motet.streams.layout import Channel, Role

__all__ = ["EndTokens", "channels_of"]

_TIMEOUT_S = 30.0
_HALF_CHARACTER = "\ufffd"


def channels_of(url: str, api_key: str | None = None) -> tuple[Channel, ...]:
    """The channels of the model that is served at `url`; ServerError if the server can't say."""
    path = "/v1/models"
    try:
        channels = _ask(url, path, api_key)["data"][0]["channels"]
        return tuple(Channel(str(one["name"]), Role(one["role"])) for one in channels)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise _unfit(url, path, "a model with channels", error) from None


class EndTokens:
    """Whether tokens that add no text end a message; each is asked of the server once."""

    def __init__(self, url: str, api_key: str | None = None) -> None:
        self._url = url
        self._api_key = api_key
        self._known: dict[int, bool] = {}

    def __call__(self, token_id: int) -> bool:
        """ServerError if the server can't say."""
        if token_id not in self._known:
            path = "/detokenize"
            said = _ask(self._url, path, self._api_key, {"tokens": [token_id]})
            text = said.get("prompt") if isinstance(said, dict) else None
            if not isinstance(text, str):
                raise _unfit(self._url, path, "the text of a token", said)
            self._known[token_id] = _HALF_CHARACTER not in text
        return self._known[token_id]


def _ask(url: str, path: str, api_key: str | None, body: object = None) -> Any:
    headers = {} if api_key is None else {"authorization": f"Bearer {api_key}"}
    try:
        answer = httpx.request(
            "GET" if body is None else "POST", http_url(url) + path, json=body, headers=headers,
            timeout=_TIMEOUT_S, trust_env=not is_loopback(url),
        )  # fmt: skip
        answer.raise_for_status()
        return answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise _unfit(url, path, "an answer", error) from None


def _unfit(url: str, path: str, expected: str, got: object) -> ServerError:
    fix = "give --tokenizer, the model that is served"
    return ServerError(http_url(url) + path, expected=expected, got=str(got)[:200], fix=fix)
