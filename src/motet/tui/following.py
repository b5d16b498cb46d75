"""What is new in a conversation since a view last looked.

Rows only grow at their end, unless the session was rewound or is another one; then a view begins
again. Rows are values, so the last one that was seen tells which.
"""

from __future__ import annotations

from dataclasses import dataclass

from motet.client import Conversation
from motet.protocol.server_events import RowFrame

__all__ = ["Following", "News"]


@dataclass(frozen=True)
class News:
    """is_again: forget what was shown. rows: what to show then. turns: number of each first row."""

    is_again: bool
    rows: tuple[RowFrame, ...]
    turns: dict[int, int]


class Following:
    """A view's place in a conversation."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Everything is new to the view, say because it has another width now."""
        self._num_rows = 0
        self._last: RowFrame | None = None
        self._turns: dict[int, int] = {}

    def look(self, conversation: Conversation) -> News:
        """What came since the last look."""
        rows, seen = conversation.rows, self._num_rows
        turns = {turn.from_row: turn.number for turn in conversation.turns}
        is_again = len(rows) < seen or (seen > 0 and rows[seen - 1] is not self._last)
        if self._last is not None and not is_again:  # a turn that began in a row seen before
            before = {row: turn for row, turn in turns.items() if row <= self._last.index}
            is_again = before != self._turns
        new = rows if is_again else rows[seen:]
        self._num_rows, self._last = len(rows), rows[-1] if rows else None
        last = -1 if self._last is None else self._last.index
        self._turns = {row: turn for row, turn in turns.items() if row <= last}
        return News(is_again, new, turns)
