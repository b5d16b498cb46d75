"""Text in which special tokens count, and text in which they must not, in one string.

What a chat template writes may hold special tokens; what people write may not become one. Where a
message holds the text of a special token, that text is replaced by one character that nobody uses
before the template runs, and put back, spelled out, when the result is tokenised. A message without
such text goes through the template as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from motet.errors import InputError
from motet.streams.codec import StreamCodec

__all__ = ["CLOSE", "OPEN", "Disguise", "cut_at", "encode_marked"]

OPEN, CLOSE = "<think>", "</think>"
_PRIVATE = (*range(0xE000, 0xF900), *range(0xF0000, 0xF0400))


class Disguise:
    """Stand-ins for special tokens in what people wrote, agreed for one request."""

    def __init__(self, special: Iterable[str], texts: Iterable[str]) -> None:
        written = "\0".join(texts)
        present = sorted((token for token in special if token in written), key=len, reverse=True)
        used = set(written)
        free = (chr(code) for code in _PRIVATE if chr(code) not in used)
        self._stands_for = dict(zip(free, present, strict=False))
        if len(self._stands_for) < len(present):
            raise InputError("messages", expected="fewer private-use characters", got="all of them")
        self._of = {token: mark for mark, token in self._stands_for.items()}

    def put_on(self, value: Any, *, role: str) -> Any:
        """`value` (text, or lists and objects of texts) with stand-ins.

        The assistant's own `<think>` tags stay: templates look for them to drop old thoughts.
        """
        if isinstance(value, str):
            spared = (OPEN, CLOSE) if role == "assistant" else ()
            names = [re.escape(token) for token in self._of if token not in spared]
            if not names:
                return value
            return re.sub("|".join(names), lambda match: self._of[match[0]], value)
        if isinstance(value, Mapping):
            return {key: self.put_on(item, role=role) for key, item in value.items()}
        if isinstance(value, list):
            return [self.put_on(item, role=role) for item in value]
        return value

    def take_off(self, text: str) -> str:
        """The text as it was written."""
        for mark, token in self._stands_for.items():
            text = text.replace(mark, token)
        return text


def encode_marked(text: str, codec: StreamCodec, disguise: Disguise | None = None) -> list[int]:
    """Token ids of a text in which special tokens count, those in disguise excepted."""
    special = codec.special_tokens
    ids: list[int] = []
    for part in cut_at(text, special):
        if part in special:
            ids.append(special[part])
        elif part:
            ids.extend(codec.encode(part if disguise is None else disguise.take_off(part)))
    return ids


def cut_at(text: str, special: Mapping[str, int]) -> list[str]:
    """The text in pieces: special tokens (of two that begin together the longer) and the rest."""
    if not special:
        return [text]
    names = sorted(special, key=len, reverse=True)
    return re.split(f"({'|'.join(map(re.escape, names))})", text)
