"""Where a language model is asked: any URL below which `/chat/completions` stands."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from motet.errors import InputError, SettingError

__all__ = ["Endpoint", "LengthField"]

LengthField = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True)
class Endpoint:
    """A model behind an OpenAI-compatible URL.

    url: as `https://host/v1`; a bare host gets `/v1`. api_key: never written anywhere; None where
    the server wants none. timeout_s: of one answer. length_field: how the server wants to be told
    the longest answer; OpenAI's newest models refuse `max_tokens`, which all others know.
    """

    url: str
    model: str
    api_key: str | None = field(default=None, repr=False)
    timeout_s: float = 600.0
    length_field: LengthField = "max_tokens"

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise SettingError("model", expected="the name that the server calls it", got="nothing")
        if not self.timeout_s > 0:
            raise SettingError("timeout_s", expected="more than 0", got=self.timeout_s)
        object.__setattr__(self, "url", _checked(self.url))


def _checked(url: str) -> str:
    text = url.strip().rstrip("/")
    try:
        parts = urlsplit(text)
        is_good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_good = False
    if not is_good or parts.query or parts.fragment:
        raise InputError("--url", expected="a URL like http://localhost:8000/v1", got=repr(url))
    if parts.username or parts.password:
        raise InputError(
            "--url", expected="one without a user or password, since it is written down",
            got="one that has them", fix="give the key by its environment variable",
        )  # fmt: skip
    return text if parts.path.strip("/") else f"{text}/v1"
