"""API keys: where they come from, and whether a client shows one.

A key comes as `Authorization: Bearer KEY`, or, where a browser's WebSocket can set no header, as
the subprotocol `motet-key.KEY`. Only digests are kept and compared, all of them, in constant time.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from starlette.datastructures import Headers

from motet.errors import SettingError

__all__ = ["KEYS_VARIABLE", "KEY_SUBPROTOCOL", "SUBPROTOCOL", "ApiKeys", "read_keys"]

KEYS_VARIABLE = "MOTET_API_KEYS"
SUBPROTOCOL = "motet.v1"
KEY_SUBPROTOCOL = "motet-key."
_KEY = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{8,256}")  # what a subprotocol may hold


class ApiKeys:
    """The keys of a server, as digests. False if there are none: then everybody may come in."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._digests = tuple({_digest(key.encode()) for key in keys})

    def __bool__(self) -> bool:
        return bool(self._digests)

    def admit(self, headers: Headers, subprotocols: Sequence[str] = ()) -> bool:
        """Whether a client with these headers, asking for these subprotocols, may come in."""
        if not self._digests:
            return True
        shown = []
        scheme, _, credentials = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            shown.append(credentials.strip())
        shown += [
            name.removeprefix(KEY_SUBPROTOCOL)
            for name in subprotocols
            if name.startswith(KEY_SUBPROTOCOL)
        ]
        return sum(self._matches(key) for key in shown[:4]) > 0

    def _matches(self, key: str) -> int:
        digest = _digest(key.encode("utf-8", "surrogateescape"))
        return sum(hmac.compare_digest(digest, known) for known in self._digests)


def read_keys(
    options: Iterable[str], file: Path | None, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """All keys given: as options, a line each in a file, with commas in MOTET_API_KEYS.

    Lines that are empty or begin with # say nothing. SettingError names the place of a bad key,
    never the key.
    """
    found = [("--api-key", key) for key in options]
    if file is not None:
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            got = getattr(error, "strerror", None) or "something else"
            raise SettingError(f"{file}", expected="a text file of API keys", got=got) from None
        found += [
            (f"{file}, line {number}", line.strip())
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not found:
            raise SettingError(f"{file}", expected="an API key a line", got="none")
    named = environment.get(KEYS_VARIABLE, "").split(",")
    found += [(KEYS_VARIABLE, key.strip()) for key in named if key.strip()]
    for place, key in found:
        if not _KEY.fullmatch(key):
            raise SettingError(
                f"{place}: API key", expected="8 to 256 letters, digits and signs like - _ .",
                got=f"{len(key)} characters" + ("" if len(key) < 8 else " of other kinds too"),
            )  # fmt: skip
    return tuple(dict.fromkeys(key for _, key in found))


def _digest(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
