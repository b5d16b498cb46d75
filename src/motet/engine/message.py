"""Text that comes in from outside: what a message may be, its tokens, and how far it was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from motet.errors import InputError
from motet.streams.codec import StreamCodec

_ALLOWED_CONTROLS = "\t\n\r"


@dataclass(frozen=True)
class Message:
    """A message that was given. ids: its tokens, as they are read, the end token included.

    first: how many tokens of messages the session will have read before its first one, if nothing
    that waits is dropped; so `Session.num_read` says how much of it was read.
    """

    ids: tuple[int, ...]
    first: int

    def num_read(self, session_num_read: int) -> int:
        """How many of its tokens were read when the session had read so many in all."""
        return min(max(session_num_read - self.first, 0), len(self.ids))


def char_ends(ids: Sequence[int], codec: StreamCodec) -> list[int]:
    """How many characters of a message are whole after each of its tokens."""
    detokenizer, ends, num_chars = codec.detokenizer(), [], 0
    for token_id in ids:
        num_chars += len(detokenizer.push(token_id))
        ends.append(num_chars)
    return ends


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


def check_ids(ids: Sequence[int], codec: StreamCodec) -> None:
    """InputError if these cannot be tokens of a message."""
    if not ids:
        raise InputError("tokens", expected="at least one", got="none")
    for token_id in ids:
        if not 0 <= token_id < codec.vocab_size or token_id == codec.silence_id:
            raise InputError(
                "tokens", expected=f"ids from 0 to {codec.vocab_size - 1}, none of silence",
                got=token_id,
            )  # fmt: skip
