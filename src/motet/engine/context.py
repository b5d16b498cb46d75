"""What the model sees of a session: a state, and which of the session's rows it holds.

    rows      0 1 2 3 4 5 6 7 8 9       num_pinned 2: these stay in front for ever
    context   0 1         6 7 8 9       first_row 6: the others up to here have left

A state may be behind its rows (they were rebuilt and it has to read them), or ahead of them (it is
a fork of one that has read the same beginning).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

import numpy as np

from motet.engine.rolling import Roll, Rolling, begin_roll, check_rolling
from motet.errors import ContextFullError
from motet.protocol.row import Row
from motet.runtime.protocol import StateT
from motet.streams.grid import TOKEN_DTYPE, Tokens


class Context(Generic[StateT]):
    """rolling: what to do when the room is nearly full; None: nothing. roll: one that goes on.

    first_row: the oldest row of the session that is in context after the first `num_pinned`.
    """

    def __init__(self, state: StateT, num_pinned: int, rolling: Rolling | None) -> None:
        if rolling is not None:
            check_rolling(rolling, state.max_rows, num_pinned)
        self.state = state
        self.first_row = 0
        self.num_pinned = num_pinned
        self.rolling = rolling
        self.roll: Roll[StateT] | None = None

    @property
    def room(self) -> int:
        """Rows that there is room for."""
        return self.state.max_rows

    def num_rows(self, num_rows: int) -> int:
        """How many of a session's first `num_rows` rows are in context."""
        return num_rows - max(0, self.first_row - self.num_pinned)

    def tokens_RC(
        self, rows: Sequence[Row], first_row: int, start: int, stop: int | None = None
    ) -> Tokens:
        """Rows `start` to before `stop` of the context that `first_row` makes of a session."""
        pinned = min(self.num_pinned, first_row)
        left_out = first_row - pinned
        end = len(rows) - left_out
        end = end if stop is None else min(stop, end)
        chosen = [
            *rows[start : min(end, pinned)],
            *rows[max(start, pinned) + left_out : max(end, pinned) + left_out],
        ]
        ids = [row.token_ids for row in chosen]
        return np.array(ids, TOKEN_DTYPE).reshape(len(ids), len(rows[0].token_ids) if rows else 0)

    def rows_to_roll(self, num_rows: int) -> int:
        """How many rows may be read before a roll begins or ends; begins one that is due."""
        if self.rolling is None:
            return self.room
        left = self.rolling.begin_rows(self.room) - self.num_rows(num_rows)
        if self.roll is None and left <= 0:
            self.roll = begin_roll(self.rolling, self.room, num_rows, self.num_pinned)
        return left if self.roll is None else self.roll.swap_at - num_rows

    def end_roll(self) -> None:
        """The state that has read the newest rows again takes over."""
        assert self.roll is not None
        assert self.roll.state is not None
        self.state, self.first_row, self.roll = self.roll.state, self.roll.first_row, None

    def cut(self, num_rows: int) -> None:
        """The session was cut back to `num_rows` rows; a roll that it was in begins anew."""
        if self.roll is not None:
            self.roll = self.roll.anew() if num_rows >= self.roll.begun_at else None

    def has_lost(self, num_rows: int) -> bool:
        """Whether so little of the first `num_rows` rows is here that they should be read again.

        That is: less than half of what a roll keeps.
        """
        if self.first_row == 0 or self.rolling is None:
            return False
        return num_rows - self.first_row < self.rolling.kept_rows(self.room) // 2

    def start_again(self, num_rows: int) -> None:
        """Let as many of the first `num_rows` rows be in context as a new state should read.

        ContextFullError if there is no room for them and none may leave.
        """
        self.first_row, self.roll = 0, None
        if self.rolling is not None and num_rows > self.rolling.begin_rows(self.room):
            self.first_row = num_rows - (self.rolling.kept_rows(self.room) - self.num_pinned)
        if self.num_rows(num_rows) > self.room:
            raise ContextFullError(
                "session", expected=f"at most {self.room} rows", got=num_rows,
                fix="open it with more rows, or let it roll",
            )  # fmt: skip

    def check_room(self, num_rows: int, num_waiting: int, num_new: int) -> None:
        """ContextFullError if new rows do not fit behind those that are there and that wait."""
        before = self.num_rows(num_rows)
        if self.rolling is not None:
            before = min(before, self.rolling.kept_rows(self.room))
        before += num_waiting
        if before + num_new >= self.room:
            raise ContextFullError(
                "message", expected=f"to fit into {self.room} rows with room to answer",
                got=f"{num_new} tokens after {before} rows",
                fix="shorten it or open the session with more rows",
            )  # fmt: skip

    def fork(self) -> Context[StateT]:
        """An independent copy."""
        twin = Context(self.state.fork(), self.num_pinned, self.rolling)
        twin.first_row, twin.roll = self.first_row, self.roll and self.roll.anew()
        return twin
