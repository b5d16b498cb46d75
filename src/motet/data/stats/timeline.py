"""Who speaks in which row of a conversation, and where messages begin and end: all that time tells.

A message is a run of speaking cells. In a channel that closes messages it goes on to the closing
cell, over rows of silence too: it may pause.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from motet.data.table import Table
from motet.data.token_grid import TokenGrid
from motet.streams.grid import Mask


class Span(NamedTuple):
    """The first and the last row of a message."""

    first: int
    last: int

    @property
    def num_rows(self) -> int:
        """From the first row to the last."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """speaks [R, C]; ends [R, C]: cells that close a message, which speak too."""

    speaks_RC: Mask
    ends_RC: Mask

    @classmethod
    def of_table(cls, table: Table) -> Timeline:
        """The timeline of a table."""
        shape = (table.num_rows, len(table.channels))
        cells = [cell for row in table.rows for cell in row]
        speaks = np.array([cell is not None for cell in cells], np.bool_)
        ends = np.array([cell is not None and cell.end for cell in cells], np.bool_)
        return cls(speaks.reshape(shape), ends.reshape(shape))

    @classmethod
    def of_grid(
        cls, grid: TokenGrid, silence_id: int | None, end_id: int | None, num_opening_rows: int
    ) -> Timeline:
        """The timeline of a grid, without the rows that open the session."""
        tokens_RC = grid.tokens_RC[num_opening_rows:]
        if silence_id is None:
            speaks_RC = np.ones(tokens_RC.shape, np.bool_)
        else:
            speaks_RC = np.not_equal(tokens_RC, silence_id)
        if end_id is None:
            return cls(speaks_RC, np.zeros(tokens_RC.shape, np.bool_))
        return cls(speaks_RC, np.equal(tokens_RC, end_id))

    @property
    def num_rows(self) -> int:
        """R."""
        return int(self.speaks_RC.shape[0])

    def messages(self, channel: int) -> list[Span]:
        """The messages of a channel, in order."""
        spoken = np.flatnonzero(self.speaks_RC[:, channel]).tolist()
        ends = self.ends_RC[:, channel]
        may_pause = bool(ends.any())
        spans: list[Span] = []
        first = last = -1
        for row in spoken:
            goes_on = first >= 0 and not ends[last] and (may_pause or row == last + 1)
            if not goes_on:
                if first >= 0:
                    spans.append(Span(first, last))
                first = row
            last = row
        if first >= 0:
            spans.append(Span(first, last))
        return spans
