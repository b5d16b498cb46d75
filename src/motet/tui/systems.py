"""Columns put together to a system: a ruler of row numbers, and below it a line a voice.

A bar line stands before the row in which a turn begins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

from motet.protocol.printable import printable
from motet.tui.score import Column

__all__ = ["BAR", "Mark", "Staff", "margin_of", "places_of", "space_of", "staves"]

BAR = "│"
_MOST_MARGIN = 10
_GAP = 1
_EVERY = 5


@dataclass(frozen=True)
class Mark:
    """A text at a place of a line. style: `name`, `ruler`, `bar` or the kind of a cell."""

    text: str
    style: str
    is_chosen: bool = False


Staff = list[Mark]


def margin_of(names: Sequence[str]) -> int:
    """Cells that the names at the left of a system take, the space after them included."""
    return min(max(map(cell_len, names), default=0), _MOST_MARGIN) + 2


def space_of(column: Column, bars: Collection[int]) -> int:
    """Cells that a column takes: its bar line, its widest cell, the gap after it."""
    return column.width + _GAP + (2 if column.index in bars else 0)


def places_of(columns: Sequence[Column], bars: Collection[int], margin: int) -> list[int]:
    """The cell at which each column begins, its bar line not counted."""
    places, x = [], margin
    for column in columns:
        space = space_of(column, bars)
        places.append(x + space - column.width - _GAP)
        x += space
    return places


def staves(
    names: Sequence[str],
    columns: Sequence[Column],
    bars: Collection[int],
    chosen: int | None = None,
) -> list[Staff]:
    """The ruler and a line a voice; chosen: the row index that stands out."""
    margin = margin_of(names)
    lines: list[Staff] = [[Mark(_name(name, margin), "name")] for name in names]
    for column in columns:
        if column.index in bars:
            for line in lines:
                line.append(Mark(f"{BAR} ", "bar"))
        for line, cell in zip(lines, column.cells, strict=True):
            text = set_cell_size(cell.text, column.width)
            line.append(Mark(text, cell.kind.value, column.index == chosen))
            line.append(Mark(" " * _GAP, "gap"))
    return [_ruler(columns, places_of(columns, bars, margin), chosen), *lines]


def _ruler(columns: Sequence[Column], places: Sequence[int], chosen: int | None) -> Staff:
    """Row numbers above their columns: the chosen one, the first, and every fifth with room."""
    wanted = sorted(
        (column.index != chosen, column.index % _EVERY != 0, number)
        for number, column in enumerate(columns)
    )
    taken: dict[int, tuple[str, bool]] = {}
    for is_other, is_between, number in wanted:
        text, place = str(columns[number].index), places[number]
        is_free = all(
            place + len(text) < start or start + len(other) < place
            for start, (other, _) in taken.items()
        )
        if is_free and not (is_other and is_between and number):
            taken[place] = text, not is_other
    ruler, x = [], 0
    for place, (text, is_chosen) in sorted(taken.items()):
        ruler += [Mark(" " * (place - x), "ruler"), Mark(text, "ruler", is_chosen)]
        x = place + len(text)
    return ruler


def _name(name: str, margin: int) -> str:
    return set_cell_size(printable(name).replace("\n", " "), margin - 2) + "  "
