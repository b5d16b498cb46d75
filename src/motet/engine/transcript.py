"""The rows of a session and all that follows from them: texts, who has said what, the turn.

It is rebuilt from rows and marks at any time, so that a fork, a saved session or one that was cut
back knows exactly what it would know if it had gone there row by row. Settings are knobs in
somebody's hand and no part of the past: nothing that a row left behind depends on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from motet.engine.marked import OPEN
from motet.engine.marks import Marks
from motet.engine.settings import Settings
from motet.engine.turn import Turn
from motet.protocol.row import Row, RowLogprobs
from motet.streams.codec import StreamCodec
from motet.streams.grid import Grid


def rows_of(grid: Grid, logprobs: Mapping[int, RowLogprobs] = MappingProxyType({})) -> list[Row]:
    """Rows that a transcript can be made of; it derives their texts itself."""
    cells = zip(grid.tokens_RC.tolist(), grid.given_RC.tolist(), strict=True)
    return [
        Row(index, tuple(tokens), (), (), tuple(given), logprobs.get(index))
        for index, (tokens, given) in enumerate(cells)
    ]


class Transcript:
    """What a session has been through.

    turn: the one that is going on, or the last one. said: per channel, the tokens that it has
    said, given or not. drawn: per channel, how often each token was sampled; both without silence
    and end.
    """

    def __init__(
        self,
        codec: StreamCodec,
        settings: Settings,
        marks: Marks,
        rows: Iterable[Row] = (),
        *,
        is_chat: bool = False,
    ) -> None:
        """marks: those of `rows`; the owner adds to them as rows come.

        is_chat: given cells that are no words of a message are a chat template's, and say nothing.
        """
        num_channels = codec.layout.num_channels
        self.rows: list[Row] = []
        self.marks = marks
        self.turn = Turn(codec.layout, settings, [False] * num_channels, codec.end_ids)
        self._is_chat = is_chat
        self.said: list[set[int]] = [set() for _ in range(num_channels)]
        self.drawn: list[dict[int, int]] = [{} for _ in range(num_channels)]
        self._codec = codec
        self._settings = settings
        self._detokenizers = [codec.detokenizer() for _ in range(num_channels)]
        for row in rows:
            if len(self.rows) in marks.continued_at:
                self.turn.go_on()
            self.take(row.token_ids, row.given, row.logprobs)
        if len(self.rows) in marks.continued_at:
            self.turn.go_on()

    def update(self, settings: Settings) -> None:
        """Go on under these settings."""
        self._settings = self.turn.settings = settings

    def take(
        self, ids: tuple[int, ...], given: tuple[bool, ...], logprobs: RowLogprobs | None
    ) -> Row:
        """Add the next row."""
        index, silence_id = len(self.rows), self._codec.silence_id
        if self.marks.starts_turn(index):
            self.turn = Turn(
                self._codec.layout, self._settings, self.turn.speaking, self._codec.end_ids
            )
        row = Row(
            index=index,
            token_ids=ids,
            deltas=self._deltas(index, ids, given),
            silent=tuple(token_id == silence_id for token_id in ids),
            given=given,
            logprobs=logprobs,
        )
        for channel, (token_id, was_given) in enumerate(zip(ids, given, strict=True)):
            if token_id != silence_id and token_id not in self._codec.end_ids:
                self.said[channel].add(token_id)
                if not was_given:
                    drawn = self.drawn[channel]
                    drawn[token_id] = drawn.get(token_id, 0) + 1
        self.rows.append(row)
        self.turn.hear(ids, given, is_held=self.marks.was_held(index))
        return row

    def _deltas(self, row: int, ids: tuple[int, ...], given: tuple[bool, ...]) -> tuple[str, ...]:
        is_template = self._is_chat and given[0] and not self.marks.was_read(row)
        if is_template and self._codec.token_bytes(ids[0]) != OPEN.encode():
            return (self._detokenizers[0].close(),)
        return tuple(d.push(i) for d, i in zip(self._detokenizers, ids, strict=True))
