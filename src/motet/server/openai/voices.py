"""Rows of one reply to what an API shows: content, reasoning, further channels, counts, an end.

The visible channel is the content, the first thought channel the reasoning, other thought channels
come by name. In a one-channel model the reasoning is what stands in `<think>` in front.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from motet.engine import StopReason
from motet.protocol.row import Row
from motet.server.openai.logprobs import ShownToken, TokenQueue
from motet.server.openai.stopping import StopStrings
from motet.server.openai.thinking import ThinkSplitter
from motet.streams.codec import StreamCodec

__all__ = ["End", "Piece", "Voices"]

_LENGTH = frozenset([StopReason.MAX_ROWS, StopReason.CONTEXT, StopReason.REPETITION])


@dataclass(frozen=True)
class End:
    """How a reply ended. reason: `stop` or `length`; because: in this server's words."""

    reason: Literal["stop", "length"]
    because: str


@dataclass
class Piece:
    """What has newly become visible of one reply."""

    content: str = ""
    reasoning: str = ""
    channels: dict[str, str] = field(default_factory=dict)
    tokens: list[ShownToken] = field(default_factory=list)
    end: End | None = None

    def __bool__(self) -> bool:
        return bool(self.content or self.reasoning or self.channels or self.tokens or self.end)


class Voices:
    """Takes in the rows of one reply.

    max_tokens: tokens of all channels together, silence not counted; where a row would go over it,
    the visible channel comes first. end_ids: tokens that end a reply of a one-channel model.
    num_spoken: tokens so far, by channel.
    """

    def __init__(
        self,
        codec: StreamCodec,
        *,
        stops: Iterable[str] = (),
        max_tokens: int | None = None,
        end_ids: frozenset[int] = frozenset(),
        thinks: bool = False,
        starts_in_thought: bool = False,
    ) -> None:
        layout = codec.layout
        self._codec = codec
        self._output = layout.output_index
        self._names = layout.names
        thoughts = layout.thought_indices
        self._reasoning = thoughts[0] if thoughts else None
        self._order = (self._output, *thoughts)
        self._end_ids = end_ids | ({codec.end_id} if codec.end_id is not None else frozenset())
        self._ends_by_token = layout.num_channels == 1
        self._max_tokens = max_tokens
        self._detokenizers = [codec.detokenizer() for _ in self._names]
        self._splitter = ThinkSplitter(starts_in_thought=starts_in_thought) if thinks else None
        self._stops = StopStrings(tuple(stops))
        self._tokens = TokenQueue()
        self._num_shown = 0
        self.end: End | None = None
        self.num_spoken = dict.fromkeys((self._names[channel] for channel in self._order), 0)
        self._num_in_tags = 0

    @property
    def num_tokens(self) -> int:
        """Tokens that were spoken in all."""
        return sum(self.num_spoken.values())

    @property
    def num_reasoning(self) -> int:
        """Tokens that were spent on reasoning: all thought channels, or what stood in `<think>`."""
        if self._splitter is not None:
            return self._num_in_tags
        return self.num_tokens - self.num_spoken[self._names[self._output]]

    def hear(self, rows: Iterable[Row], stopped_by: StopReason | None = None) -> Piece:
        """Take in rows in order and, if the turn is over, why; after an end nothing more."""
        piece = Piece()
        if self.end is not None:
            return piece
        for row in rows:
            if self.end is None:
                self._hear(row, piece)
        if self.end is None and stopped_by is not None:
            self.end = End("length" if stopped_by in _LENGTH else "stop", stopped_by.value)
        if self.end is not None:
            self._close(piece)
        return piece

    def _hear(self, row: Row, piece: Piece) -> None:
        for channel in self._order:
            if row.given[channel] or row.silent[channel]:
                continue
            self._speak(channel, row, piece)
            if self._stops.found is not None:
                self.end = End("stop", "stop_string")
            elif self._max_tokens is not None and self.num_tokens >= self._max_tokens:
                self.end = End("length", "max_tokens")
            if self.end is not None:
                return

    def _speak(self, channel: int, row: Row, piece: Piece) -> None:
        token_id, detokenizer = row.token_ids[channel], self._detokenizers[channel]
        if token_id in self._end_ids:
            is_own = token_id == self._codec.end_id
            self._say(channel, detokenizer.push(token_id) if is_own else detokenizer.flush(), piece)
            if self._ends_by_token:
                self.end = End("stop", StopReason.END.value)
            return
        self.num_spoken[self._names[channel]] += 1
        text = detokenizer.push(token_id)
        if channel == self._output and row.logprobs is not None:
            self._tokens.push(token_id, text, row.logprobs)
        self._say(channel, text, piece)
        if channel == self._output and self._splitter is not None:
            self._num_in_tags += self._splitter.is_thinking

    def _say(self, channel: int, text: str, piece: Piece) -> None:
        if channel == self._output:
            reasoning, content = ("", text) if self._splitter is None else self._splitter.push(text)
            piece.reasoning += reasoning
            self._show(content, piece)
        elif channel == self._reasoning:
            piece.reasoning += text
        elif text:
            name = self._names[channel]
            piece.channels[name] = piece.channels.get(name, "") + text

    def _show(self, content: str, piece: Piece) -> None:
        self._emit(self._stops.push(content), piece)

    def _emit(self, shown: str, piece: Piece) -> None:
        piece.content += shown
        self._num_shown += len(shown)
        content_from = 0 if self._splitter is None else self._splitter.content_from
        piece.tokens += self._tokens.shown(content_from, self._num_shown)

    def _close(self, piece: Piece) -> None:
        """Show what was held back, and where a character was cut off, U+FFFD."""
        for channel in self._order:
            if channel != self._output or self._stops.found is None:
                self._say(channel, self._detokenizers[channel].flush(), piece)
        if self._splitter is not None:
            reasoning, content = self._splitter.flush()
            piece.reasoning += reasoning
            self._show(content, piece)
        if self._stops.found is None:
            self._emit(self._stops.flush(), piece)
        else:
            self.end = End("stop", "stop_string")
        piece.end = self.end
