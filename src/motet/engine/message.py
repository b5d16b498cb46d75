"""Text that comes in from outside: what a message may be, and its tokens."""

from __future__ import annotations

from motet.errors import InputError
from motet.streams.codec import StreamCodec

_ALLOWED_CONTROLS = "\t\n\r"


def check_message(text: str) -> None:
    """InputError if `text` is empty or holds control characters other than tab and newlines."""
    if not text.strip():
        raise InputError("message", expected="some text", got="nothing" if not text else "blanks")
    for position, character in enumerate(text):
        is_control = ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0
        if is_control and character not in _ALLOWED_CONTROLS:
            raise InputError(
                "message", expected="text without control characters",
                got=f"U+{ord(character):04X} at position {position}", fix="take it out",
            )  # fmt: skip


def message_tokens(text: str, codec: StreamCodec) -> list[int]:
    """Tokens of a message to an input channel: its text, then the end token if there is one."""
    check_message(text)
    ids = codec.encode(text)
    has_inputs = bool(codec.layout.input_indices)
    return ids if codec.end_id is None or not has_inputs else [*ids, codec.end_id]
