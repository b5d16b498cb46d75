"""Tokens to text, one stream at a time, as they come.

Byte-level tokens may end inside a character. The detokenizer holds such bytes back until the
character is whole, so that no half character reaches a screen, and nothing else is held back:
spacing, newlines, code and emoji come out as they went in.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Collection

TokenBytes = Callable[[int], bytes]


class Detokenizer:
    """Incremental text of one column. Silence adds nothing; an end token closes a message.

    Messages of one column are separated by a newline, so the pieces that `push` and `flush`
    return always join to `StreamCodec.text` of the same ids.
    """

    def __init__(
        self, token_bytes: TokenBytes, silence_id: int | None, end_ids: Collection[int]
    ) -> None:
        self._token_bytes = token_bytes
        self._silence_id = silence_id
        self._end_ids = end_ids
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._has_spoken = False
        self._message_ended = False

    def push(self, token_id: int) -> str:
        """The text that `token_id` completes; empty for silence and inside a character."""
        if token_id == self._silence_id:
            return ""
        if token_id in self._end_ids:
            return self.close()
        separator = "\n" if self._message_ended else ""
        self._has_spoken, self._message_ended = True, False
        return separator + self._decoder.decode(self._token_bytes(token_id))

    def close(self) -> str:
        """End a message as an end token does."""
        self._message_ended = self._has_spoken
        return self.flush()

    def flush(self) -> str:
        """What is left: U+FFFD if the stream stopped inside a character, else nothing."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest
