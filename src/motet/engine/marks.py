"""Where in a session something happened that its tokens alone do not tell, by row numbers.

With its rows and these numbers all else that a session knows of its past can be derived again.
"""

from __future__ import annotations

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Marks:
    """Row numbers, ascending.

    turn_starts: rows where messages to the model began. read_at: the row that read each token of
    them. continued_at, interrupted_at: rows before which `continue_turn` was called, or a turn was
    ended by `stop`. hold_changes: rows from which the visible channel was held, released, held...
    """

    turn_starts: list[int] = field(default_factory=list)
    read_at: list[int] = field(default_factory=list)
    continued_at: list[int] = field(default_factory=list)
    interrupted_at: list[int] = field(default_factory=list)
    hold_changes: list[int] = field(default_factory=list)

    @property
    def is_held(self) -> bool:
        """Whether the visible channel is held from the next row on."""
        return len(self.hold_changes) % 2 == 1

    def starts_turn(self, row: int) -> bool:
        """Whether a message began in this row."""
        place = bisect_left(self.turn_starts, row)
        return self.turn_starts[place : place + 1] == [row]

    def was_read(self, row: int) -> bool:
        """Whether this row read a token of a message."""
        place = bisect_left(self.read_at, row)
        return self.read_at[place : place + 1] == [row]

    def was_held(self, row: int) -> bool:
        """Whether it was held in this row."""
        changes = self.hold_changes
        return bool(changes) and bisect_right(changes, row) % 2 == 1

    def change_hold(self, row: int) -> None:
        """Hold or release from `row` on, whichever it was not."""
        if self.hold_changes[-1:] == [row]:
            self.hold_changes.pop()
        else:
            self.hold_changes.append(row)

    def cut(self, num_rows: int) -> Marks:
        """A copy for the first `num_rows` rows; what is held now stays held."""
        starts, read = self.turn_starts, self.read_at
        marks = Marks(
            turn_starts=[row for row in starts if row < num_rows],
            read_at=[row for row in read if row < num_rows],
            continued_at=[row for row in self.continued_at if row <= num_rows],
            interrupted_at=[row for row in self.interrupted_at if row <= num_rows],
            hold_changes=[row for row in self.hold_changes if row <= num_rows],
        )
        if marks.is_held != self.is_held:
            marks.change_hold(num_rows)
        return marks

    def to_json(self) -> dict[str, list[int]]:
        """The marks as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Marks:
        """What `to_json` wrote; TypeError or ValueError for anything else."""
        return cls(**{name: [int(row) for row in rows] for name, rows in dict(data).items()})
