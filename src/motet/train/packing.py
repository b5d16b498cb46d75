"""Which conversations share a line of a batch.

Best fit, longest first: each conversation goes where it leaves the least room, which never takes
more than 11/9 of the fewest lines possible, and a few (Johnson et al. 1974, doi:10.1137/0203025).
Lengths and nothing else decide, so the same conversations always share a line.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import replace

from motet.data.token_grid import TokenGrid
from motet.errors import DataError

__all__ = ["cut", "pack"]


def pack(num_rows: Sequence[int], rows_per_line: int) -> list[list[int]]:
    """Indices of the conversations on each line, none longer than `rows_per_line` rows in all.

    num_rows: the length of each conversation, at least 1. Lines come in the order in which they
    were begun, the conversations of a line in the order of their indices. DataError if a
    conversation does not fit on a line of its own (see `cut`).
    """
    for index, rows in enumerate(num_rows):
        if not 1 <= rows <= rows_per_line:
            raise DataError(
                f"conversation {index}", expected=f"1 to {rows_per_line} rows", got=rows,
                fix="cut it, leave it out, or make lines longer",
            )  # fmt: skip
    lines: list[list[int]] = []
    free: list[tuple[int, int]] = []  # (rows left, line), sorted
    for index in sorted(range(len(num_rows)), key=lambda i: (-num_rows[i], i)):
        rows = num_rows[index]
        place = bisect_left(free, (rows, -1))
        if place == len(free):
            left, line = rows_per_line, len(lines)
            lines.append([])
        else:
            left, line = free.pop(place)
        lines[line].append(index)
        if left > rows:
            insort(free, (left - rows, line))
    return [sorted(line) for line in lines]


def cut(grid: TokenGrid, num_rows: int) -> TokenGrid:
    """The first `num_rows` rows of a conversation, or all of it if it is shorter."""
    if grid.num_rows <= num_rows:
        return grid
    return replace(
        grid,
        tokens_RC=grid.tokens_RC[:num_rows],
        learned_RC=None if grid.learned_RC is None else grid.learned_RC[:num_rows],
        weights_RC=None if grid.weights_RC is None else grid.weights_RC[:num_rows],
    )
