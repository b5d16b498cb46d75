"""The score: time across, voices down, a column a row, like a sheet of music.

0       1      2    3
User    │Tom · has · 3  ‖    a column is as wide as its widest cell
Output  │ ·  · ·   · ·  I    silence is a rest
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len, set_cell_size

from motet.protocol.printable import printable
from motet.protocol.server_events import RowFrame

__all__ = ["REST", "Cell", "CellKind", "Column", "column_of", "shown_piece"]

REST, END, NO_TEXT, SPACE, NEWLINE, TAB = "·", "‖", "◦", "␣", "↵", "⇥"
_MOST_CELLS = 14
_DOTTED_CIRCLE = "◌"


class CellKind(StrEnum):
    """rest: silence. spoken: sampled from the model. given: set from outside. end: of a message."""

    REST = "rest"
    SPOKEN = "spoken"
    GIVEN = "given"
    END = "end"


@dataclass(frozen=True)
class Cell:
    """One place of the score."""

    text: str
    kind: CellKind


@dataclass(frozen=True)
class Column:
    """One row of the session. width: in terminal cells, the space after it not counted."""

    index: int
    cells: tuple[Cell, ...]
    width: int


def column_of(row: RowFrame, after: RowFrame | None) -> Column:
    """The column of `row`; the row after it tells an end from a part of a character."""
    cells = []
    for channel, text in enumerate(row.text):
        if row.silent[channel]:
            cells.append(Cell(REST, CellKind.REST))
        elif not text:
            is_last = after is None or after.silent[channel]
            kind = CellKind.END if is_last else _spoken(row, channel)
            cells.append(Cell(END if is_last else NO_TEXT, kind))
        else:
            cells.append(Cell(shown_piece(text), _spoken(row, channel)))
    return Column(row.index, tuple(cells), max(cell_len(cell.text) for cell in cells))


def columns_of(rows: Sequence[RowFrame], first: int, last: int) -> list[Column]:
    """The columns of rows[first:last]."""
    return [
        column_of(rows[i], rows[i + 1] if i + 1 < len(rows) else None) for i in range(first, last)
    ]


def _spoken(row: RowFrame, channel: int) -> CellKind:
    return CellKind.GIVEN if row.given[channel] else CellKind.SPOKEN


def shown_piece(text: str) -> str:
    """The text of one cell as it stands in a score: spaces, newlines and lone marks visible."""
    shown = printable(text).replace("\n", NEWLINE).replace("\t", TAB)
    shown = shown.strip(" ") or SPACE * min(len(shown), 3)
    if cell_len(shown[0]) == 0:  # a mark that would sit on the cell before it
        shown = _DOTTED_CIRCLE + shown
    if cell_len(shown) > _MOST_CELLS:
        shown = set_cell_size(shown, _MOST_CELLS - 1).rstrip() + "…"
    return shown
