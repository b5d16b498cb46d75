"""A conversation that was cut back to its first rows.

What was read in rows that are gone has not been read; a text of which a part is left can't go on,
because a rewind drops what waits. A turn that ended after the cut is open again: it goes on.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from motet.client.conversation import Conversation, Input, Turn

__all__ = ["rewound"]


def rewound(before: Conversation, to_row: int) -> Conversation:
    """Cut everything back to the rows before `to_row`; what waits to be read is dropped."""
    rows = before.rows[: bisect_left(before.rows, to_row, key=lambda row: row.index)]
    first_row = min(before.first_row, to_row)
    return replace(
        before,
        rows=rows,
        texts=tuple(
            "".join(row.text[channel] for row in rows) for channel in range(len(before.texts))
        ),
        inputs=tuple(_cut(text, to_row) for text in before.inputs),
        turns=tuple(_reopened(turn, to_row) for turn in before.turns if turn.from_row < to_row),
        first_row=first_row,
        context_used_rows=to_row - first_row,
        is_context_filling=False,
    )


def _cut(text: Input, to_row: int) -> Input:
    reads = tuple(read for read in text.reads if read.to_row < to_row)
    is_whole = bool(reads) and reads[-1].is_done
    return replace(text, reads=reads, is_dropped=text.is_dropped or not is_whole)


def _reopened(turn: Turn, to_row: int) -> Turn:
    is_over = turn.ending is not None and turn.ending.at_row <= to_row
    return turn if is_over else replace(turn, ending=None)
