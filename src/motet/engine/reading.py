"""What a step reads for one session: a plan of pieces, and what to make of their logits.

ordinary     its next rows
rolling      its next rows; and beside them a chunk of the context that is read again
swapping     what that second state still lacks and the next rows, in place of the first state
behind       a chunk of rows that the session has and its state has not: it was rebuilt
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import numpy as np

from motet.engine.rolling import begin_roll
from motet.engine.sampling import Logits
from motet.engine.session import Session
from motet.engine.waiting import Block
from motet.protocol.row import Row
from motet.runtime.protocol import Runtime, StateT
from motet.streams.grid import Tokens


@dataclass(frozen=True, eq=False)
class Piece(Generic[StateT]):
    """Rows that continue a state. num_rows: what it had read before."""

    state: StateT
    tokens_RC: Tokens
    num_rows: int

    @classmethod
    def of(cls, state: StateT, tokens_RC: Tokens) -> Piece[StateT]:
        """The piece that comes next."""
        return cls(state, tokens_RC, state.num_rows)


@dataclass(frozen=True, eq=False)
class Reading(Generic[StateT]):
    """pieces: the first one's logits predict the session's next row. block: its new rows, if any.

    swaps: the state of the first piece is the session's from then on.
    """

    session: Session[StateT]
    pieces: list[Piece[StateT]]
    block: Block | None = None
    swaps: bool = False

    def take(self, logits_XV: Logits) -> list[Row]:
        """Take in that the pieces were read; the session's new rows."""
        session = self.session
        if self.swaps:
            assert session.roll is not None
            session.state, session.first_row = self.pieces[0].state, session.roll.first_row
            session.roll = None
        if self.block is not None:
            return session.advance(self.block, logits_XV)
        if self.pieces[0].state is session.state and not session.is_behind:
            session.logits_XV = logits_XV
        return []

    def undo(self, runtime: Runtime[StateT]) -> None:
        """Make the states what they were."""
        for piece in self.pieces:
            runtime.truncate(piece.state, piece.num_rows)


def plan(
    session: Session[StateT], max_rows: int, open_state: Callable[[int], StateT]
) -> Reading[StateT] | None:
    """What to read for an active session; None if its context is full.

    max_rows: of a long prefill at most. Raises a MotetError that is the session's alone.
    """
    if session.is_behind:
        start = session.state.num_rows
        missing = session.context_RC(session.first_row, start, start + max_rows)
        return Reading(session, [Piece.of(session.state, missing)])
    block = session.next_block(min(max_rows, _rows_to_roll(session)))
    if block is None:
        return None
    ordinary = Piece.of(session.state, block.tokens_RC)
    if (roll := session.roll) is None:
        return Reading(session, [ordinary], block)
    if roll.state is None:
        roll.state = open_state(session.state.max_rows)
    missing = session.context_RC(roll.first_row, roll.state.num_rows)
    if len(session.rows) + len(block.tokens_RC) < roll.swap_at:
        chunk = missing[: roll.chunk_rows]
        again = [Piece.of(roll.state, chunk)] if len(chunk) else []
        return Reading(session, [ordinary, *again], block)
    if len(missing) > max(max_rows, roll.chunk_rows):
        return Reading(session, [Piece.of(roll.state, missing[:max_rows])])
    rows = np.concatenate([missing, block.tokens_RC])
    return Reading(session, [Piece.of(roll.state, rows)], block, swaps=True)


def _rows_to_roll(session: Session[StateT]) -> int:
    """How many rows the session may read before a roll begins or ends; begins one that is due."""
    if session.rolling is None:
        return session.state.max_rows
    room, num_rows = session.state.max_rows, len(session.rows)
    left = session.rolling.begin_rows(room) - session.num_context_rows
    if session.roll is None and left <= 0:
        session.roll = begin_roll(session.rolling, room, num_rows, session.num_pinned)
    return left if session.roll is None else session.roll.swap_at - num_rows
