"""A sheet on which a conversation is set: pieces of text put into the rows of channels.

A model reads row t when it computes row t + 1 of a channel, but it sees the other channels one row
later: what they say in row t can first change this one in row t + 2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from motet.data.table import Cell, Table
from motet.streams.layout import Channel

LAG = 2
"""Rows from what is said to the first row of another channel that may depend on it."""

ROWS_AFTER = 2
"""Silent rows at the end: there is a time to say nothing."""


class Span(NamedTuple):
    """The first and the last row of what was said."""

    first: int
    last: int


class Sheet:
    """A conversation while it is being set. Every channel goes on where it stopped."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        self.channels = tuple(channels)
        self._cells: dict[str, dict[int, Cell]] = {c.name: {} for c in channels}
        self._free = dict.fromkeys(self._cells, 0)

    def free_row(self, channel: str) -> int:
        """The first row in which `channel` has nothing to say yet, nor after it."""
        return self._free[channel]

    def say(
        self,
        channel: str,
        pieces: Sequence[str],
        not_before: int,
        *,
        end: bool = True,
        holds: Sequence[int] | None = None,
    ) -> Span:
        """Put pieces into the next rows of `channel`, the last one closing the message if `end`.

        holds: for each piece the first row in which it may be said; what follows it waits with it.
        """
        if not pieces:
            raise ValueError("nothing to say")
        first = max(self._free[channel], not_before, holds[0] if holds else 0)
        for number, piece in enumerate(pieces):
            row = max(self._free[channel], not_before, holds[number] if holds else 0)
            self._cells[channel][row] = Cell(piece, end and number + 1 == len(pieces))
            self._free[channel] = row + 1
        return Span(first, self._free[channel] - 1)

    def close(self, channel: str, not_before: int) -> int:
        """End the message of `channel` in a row of its own; that row."""
        row = max(self._free[channel], not_before)
        self._cells[channel][row] = Cell("", end=True)
        self._free[channel] = row + 1
        return row

    def table(self, name: str, meta: Mapping[str, Any]) -> Table:
        """What was set, and silent rows after it."""
        num_rows = max(self._free.values()) + ROWS_AFTER
        columns = [self._cells[channel.name] for channel in self.channels]
        rows = tuple(tuple(column.get(r) for column in columns) for r in range(num_rows))
        return Table(name, self.channels, rows, meta)
