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
            session.context.end_roll()
        if self.block is not None:
            return session.advance(self.block, logits_XV)
        if self.pieces[0].state is session.state and not session.is_behind:
            session.logits_XV = logits_XV
        return []

    def undo(self, runtime: Runtime[StateT]) -> None:
        """Make the states what they were; one that was shared in vain has read nothing."""
        for piece in self.pieces:
            runtime.truncate(piece.state, piece.num_rows)
        state, num_rows = self.session.state, self.session.num_context_rows
        runtime.truncate(state, min(state.num_rows, num_rows))


def plan(
    session: Session[StateT], max_rows: int, open_state: Callable[[int], StateT]
) -> Reading[StateT] | None:
    """What to read for an active session; None if its context is full.

    max_rows: of a long prefill at most. Raises a MotetError that is the session's alone.
    """
    context, rows = session.context, session.rows
    num_ahead = context.state.num_rows - session.num_context_rows
    if num_ahead < 0:
        start = context.state.num_rows
        missing = context.tokens_RC(rows, context.first_row, start, start + max_rows)
        return Reading(session, [Piece.of(context.state, missing)])
    block = session.next_block(min(num_ahead + max_rows, context.rows_to_roll(len(rows))))
    if block is None:
        return None
    ordinary = Piece.of(context.state, block.tokens_RC[num_ahead:])
    if (roll := context.roll) is None:
        return Reading(session, [ordinary], block)
    if roll.state is None:
        roll.state = open_state(context.room)
    missing = context.tokens_RC(rows, roll.first_row, roll.state.num_rows)
    if len(rows) + len(block.tokens_RC) < roll.swap_at:
        chunk = missing[: roll.chunk_rows]
        again = [Piece.of(roll.state, chunk)] if len(chunk) else []
        return Reading(session, [ordinary, *again], block)
    if len(missing) > max(max_rows, roll.chunk_rows):
        return Reading(session, [Piece.of(roll.state, missing[:max_rows])])
    joined = np.concatenate([missing, block.tokens_RC])
    return Reading(session, [Piece.of(roll.state, joined)], block, swaps=True)
