"""Conversations without an end: the oldest rows leave the context, unnoticed by who talks.

    rows      0 1 2 3 4 5 6 7 8 9 a b c     at `roll_at` of the room (a) a second state begins to
    state     0 1 2 3 4 5 6 7 8 9 a b       read the opening and the newest rows again, some with
    second    0           6 7 8 9 a b c     each step; at a row fixed beforehand (c) it takes over

Which rows stay and when depends on the rows alone, not on how fast they are read again. So a fork
or a saved session that has to read them anew goes on exactly as it would have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Generic

from motet.errors import SettingError
from motet.runtime.protocol import StateT


@dataclass(frozen=True)
class Rolling:
    """roll_at: the share of its room at which a session rolls. keep: the share that stays.

    step_rows: rows to read again with every step, more if else the room that is left would not do.
    """

    roll_at: float = 0.85
    keep: float = 0.5
    step_rows: int = 32

    def __post_init__(self) -> None:
        if not 0.0 < self.keep < self.roll_at < 1.0 or self.step_rows < 1:
            raise SettingError(
                "rolling", expected="0 < keep < roll_at < 1, step_rows of at least 1", got=self
            )

    def begin_rows(self, max_rows: int) -> int:
        """Rows in context at which rolling begins."""
        return int(self.roll_at * max_rows)

    def kept_rows(self, max_rows: int) -> int:
        """Rows of the new context when it begins to be read."""
        return int(self.keep * max_rows)


@dataclass(eq=False)
class Roll(Generic[StateT]):
    """A context that is being read again.

    begun_at: how many rows the session had. first_row: the oldest row of the new context after the
    opening. swap_at: when the session has so many rows, they are read by `state` and it takes over.
    state: None until something of it was read. chunk_rows: rows to read with each step.
    """

    begun_at: int
    first_row: int
    swap_at: int
    chunk_rows: int
    state: StateT | None = None

    def anew(self) -> Roll[StateT]:
        """The same roll with nothing read."""
        return replace(self, state=None)


def begin_roll(rolling: Rolling, max_rows: int, num_rows: int, num_pinned: int) -> Roll[StateT]:
    """The roll of a session of `num_rows` rows, of which the first `num_pinned` stay in front."""
    kept = rolling.kept_rows(max_rows)
    room = max_rows - rolling.begin_rows(max_rows)
    steps = max(1, min(-(-kept // rolling.step_rows), room // 2))
    first_row = num_rows - (kept - num_pinned)
    return Roll(num_rows, first_row, num_rows + steps, -(-(kept + steps) // steps))


def check_rolling(rolling: Rolling, max_rows: int, num_pinned: int) -> None:
    """SettingError if so small a room cannot roll."""
    kept, begin_rows = rolling.kept_rows(max_rows), rolling.begin_rows(max_rows)
    if not num_pinned < kept < begin_rows < max_rows - 1:
        raise SettingError(
            "rolling", expected=f"room for more than {num_pinned} rows that stay in front",
            got=f"{kept} rows to keep, rolling at {begin_rows} of {max_rows}",
            fix="open the session with more rows",
        )  # fmt: skip
