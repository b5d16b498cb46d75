"""How a vocabulary writes bytes: two ways, and each can spell any text.

byte letters   GPT-2's byte-level BPE: every byte has a letter, tokens are strings of letters
pieces         SentencePiece: tokens are text with U+2581 for a space, and what no piece holds
               falls back to tokens <0x00> to <0xFF>, one for each byte
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Protocol

SPACE = "\u2581"
UTF8_BYTES = frozenset(range(0xF5)) - {0xC0, 0xC1}
_BYTE = re.compile("<0x([0-9A-F]{2})>")


class Spelling(Protocol):
    """Between tokens, as they stand in a vocabulary, and the bytes that they are for."""

    name: str

    def bytes_of(self, token: str) -> bytes | None:
        """The bytes of a token; None if it is not written in this spelling."""
        ...

    def token_of(self, byte: int) -> str:
        """The token that stands for one byte."""
        ...


class ByteLetters:
    """Byte-level: printable bytes are themselves, the others are letters from U+0100 on."""

    name = "byte-level letters"

    def bytes_of(self, token: str) -> bytes | None:
        """See `Spelling`."""
        byte_of = _byte_of_letter()
        return bytes(map(byte_of.__getitem__, token)) if byte_of.keys() >= set(token) else None

    def token_of(self, byte: int) -> str:
        """See `Spelling`."""
        return _letter_of_byte()[byte]


class Pieces:
    """SentencePiece with byte fallback."""

    name = "pieces of text"

    def bytes_of(self, token: str) -> bytes | None:
        """See `Spelling`."""
        if match := _BYTE.fullmatch(token):
            return bytes([int(match[1], 16)])
        return token.replace(SPACE, " ").encode("utf-8")

    def token_of(self, byte: int) -> str:
        """See `Spelling`."""
        return f"<0x{byte:02X}>"


def spelling_of(settings: dict[str, Any]) -> Spelling | None:
    """The spelling of a tokenizer.json; None if it writes text in another way."""
    decoder = settings.get("decoder") or {}
    if decoder.get("type") == "ByteLevel":
        return ByteLetters()
    steps = [step.get("type") for step in decoder.get("decoders", [])]
    falls_back = settings["model"].get("byte_fallback") and "ByteFallback" in steps
    return Pieces() if falls_back and settings.get("pre_tokenizer") is None else None


@cache
def _byte_of_letter() -> dict[str, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(b): b for b in printable} | {chr(0x100 + i): b for i, b in enumerate(others)}


@cache
def _letter_of_byte() -> dict[int, str]:
    return {byte: letter for letter, byte in _byte_of_letter().items()}
