"""Log-probabilities of the visible channel's tokens, matched with the text that is shown.

Text is held back where it may become a tag or a stop string, and a token may end inside a
character. So tokens wait here until text of theirs is shown, and those of whose text nothing is
shown are not told of.

    whole text     <think>..</think>  I t ' s   5 .
                                      ^ content_from
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

from motet.protocol.row import RowLogprobs
from motet.streams.codec import StreamCodec

__all__ = ["ShownToken", "TokenQueue"]

LEAST = -9999.0  # stands for minus infinity, which JSON does not have


@dataclass(frozen=True)
class ShownToken:
    """A token of shown text. offset: where in the content it begins, in characters."""

    token_id: int
    offset: int
    logprobs: RowLogprobs

    def chat_json(self, codec: StreamCodec) -> dict[str, Any]:
        """As the chat and the responses endpoint tell it."""
        top = [_entry(codec, token_id, logprob) for token_id, logprob in self.logprobs.top]
        return {**_entry(codec, self.token_id, self.logprobs.logprob), "top_logprobs": top}


@dataclass(frozen=True)
class _Waiting:
    token_id: int
    start: int
    end: int
    logprobs: RowLogprobs


class TokenQueue:
    """Tokens of one reply in order, until their text is shown."""

    def __init__(self) -> None:
        self._waiting: deque[_Waiting] = deque()
        self._num_read = 0

    def push(self, token_id: int, text: str, logprobs: RowLogprobs) -> None:
        """A token has come that completes `text`, which may be empty."""
        start, self._num_read = self._num_read, self._num_read + len(text)
        self._waiting.append(_Waiting(token_id, start, self._num_read, logprobs))

    def shown(self, content_from: int | None, num_shown: int) -> list[ShownToken]:
        """Tokens of the content's first `num_shown` characters that were not returned before."""
        tokens: list[ShownToken] = []
        if content_from is None:
            return tokens
        while self._waiting and self._waiting[0].start < content_from + num_shown:
            token = self._waiting.popleft()
            if token.end > content_from or token.start >= content_from:
                offset = max(token.start - content_from, 0)
                tokens.append(ShownToken(token.token_id, offset, token.logprobs))
        return tokens


def _entry(codec: StreamCodec, token_id: int, logprob: float) -> dict[str, Any]:
    data = codec.token_bytes(token_id)
    text = data.decode("utf-8", "replace")
    return {"token": text, "bytes": list(data), "logprob": max(logprob, LEAST)}
