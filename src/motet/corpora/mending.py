"""Repairs of rows whose form is right but whose habits are not; each says its name if it did any.

Nothing is mended that could be meant: where a writer uses spaces at all, it knows where they go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

from motet.data.table import Cell, Row

__all__ = ["Mend", "with_ends", "with_spaces", "without_dashes"]

Mend = Callable[[list[Row]], tuple[list[Row], str]]
"""Rows to rows, and the name of the repair, or "" if nothing was done."""

_DASHES = frozenset("-\u2013\u2014")
_AFTER_WHICH_A_SPACE = frozenset(".,;:!?")
_LEAST_DASHES = 2


def without_dashes(rows: list[Row]) -> tuple[list[Row], str]:
    """Silence for "-" where every row fills every cell: then the dash is how it was written.

    Where a cell anywhere is left empty the writer knows silence, and a dash is a dash.
    """
    cells = [cell for row in rows for cell in row]
    num_dashes = sum(cell is not None and cell.text.strip() in _DASHES for cell in cells)
    if None in cells or num_dashes < _LEAST_DASHES:
        return rows, ""
    return [
        tuple(None if cell is None or cell.text.strip() in _DASHES else cell for cell in row)
        for row in rows
    ], "dashes"


def with_spaces(rows: list[Row]) -> tuple[list[Row], str]:
    """A space between two pieces of a message that has no space at any seam but needs some.

    It is put where letters or digits meet letters or digits, and behind a mark that ends a clause.
    A message in which only digits and signs meet, such as 3*4 and =12, stays as it is.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    is_changed = False
    for column in columns:
        for message in _messages(column):
            seams = list(pairwise(message))
            texts = [(_text(column, left), _text(column, right)) for left, right in seams]
            has_spaces = any(a[-1:].isspace() or b[:1].isspace() for a, b in texts)
            if has_spaces or not any(_words_meet(a, b) for a, b in texts):
                continue
            for (_, right), (a, b) in zip(seams, texts, strict=True):
                behind_mark = a[-1:] in _AFTER_WHICH_A_SPACE and b[:1].isalnum()
                if (a[-1:].isalnum() and b[:1].isalnum()) or behind_mark:
                    cell = column[right]
                    assert cell is not None
                    column[right] = replace(cell, text=" " + cell.text)
                    is_changed = True
    return [tuple(row) for row in zip(*columns, strict=True)], "spaces" if is_changed else ""


def with_ends(rows: list[Row]) -> tuple[list[Row], str]:
    """The last message of every channel is over, since nothing comes after it."""
    rows = list(rows)
    is_changed = False
    for channel in range(len(rows[0]) if rows else 0):
        last = max((r for r, row in enumerate(rows) if row[channel] is not None), default=None)
        if last is None:
            continue
        cell = rows[last][channel]
        assert cell is not None
        if not cell.end:
            row = list(rows[last])
            row[channel] = replace(cell, end=True)
            rows[last], is_changed = tuple(row), True
    return rows, "ends" if is_changed else ""


def _messages(column: Sequence[Cell | None]) -> Iterator[list[int]]:
    """Places of the cells of each thing said: from its beginning to its end mark, pauses or not."""
    places: list[int] = []
    for place, cell in enumerate(column):
        if cell is not None:
            places.append(place)
            if cell.end:
                yield places
                places = []
    if places:
        yield places


def _text(column: Sequence[Cell | None], place: int) -> str:
    cell = column[place]
    assert cell is not None
    return cell.text


def _words_meet(left: str, right: str) -> bool:
    before, after = left[-1:], right[:1]
    is_seam = before.isalnum() or before in _AFTER_WHICH_A_SPACE
    return (before.isalpha() and after.isalnum()) or (is_seam and after.isalpha())
