"""From a grid back to a table, row for row: what the tokens of each cell stand for.

A character that several tokens make up stands in the row of the last of them. Rows that open a
session are silent in the table, whatever tokens they hold.
"""

from __future__ import annotations

import codecs

from motet.data.table import Cell, Table
from motet.data.token_grid import TokenGrid
from motet.streams.codec import StreamCodec
from motet.streams.grid import Tokens

__all__ = ["table_of"]


def table_of(grid: TokenGrid, codec: StreamCodec) -> Table:
    """The conversation as text, in as many rows; TokenizerError if an id is unknown."""
    num_opening_rows = len(codec.layout.opening_RC())
    columns = [_cells(column, codec, num_opening_rows) for column in grid.tokens_RC.T]
    rows = tuple(zip(*columns, strict=True))
    return Table(grid.id, codec.layout.channels, rows, grid.meta)


def _cells(column_R: Tokens, codec: StreamCodec, num_opening_rows: int) -> list[Cell | None]:
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    cells: list[Cell | None] = []
    for row, token_id in enumerate(column_R.tolist()):
        if row < num_opening_rows or token_id == codec.silence_id:
            cells.append(None)
        elif token_id == codec.end_id:
            cells.append(Cell(decoder.decode(b"", final=True), end=True))
            decoder.reset()
        else:
            cells.append(Cell(decoder.decode(codec.token_bytes(token_id))))
    return cells
