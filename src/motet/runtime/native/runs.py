"""The rows of a forward cut into runs, each of which one graph computes.

A run has at most so many rows, whichever sessions they are of. Rows of one session are never twice
in a run, and come in order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Generic, NamedTuple

from motet.runtime.native.state import PastT
from motet.runtime.protocol import Wanted
from motet.streams.grid import Tokens


class Piece(NamedTuple, Generic[PastT]):
    """Rows of one session in one run. place: whose; first_kept: the row that logits begin at."""

    place: int
    state: PastT
    rows_RC: Tokens
    first_kept: int

    @property
    def num_rows(self) -> int:
        """Rows read."""
        return len(self.rows_RC)

    @property
    def num_kept(self) -> int:
        """Rows whose logits are wanted."""
        return self.num_rows - self.first_kept


def cut(
    states: Sequence[PastT], tokens: Sequence[Tokens], wanted: Wanted, max_rows: int
) -> Iterator[list[Piece[PastT]]]:
    """Runs of at most `max_rows` rows that together read tokens[i] into states[i]."""
    run: list[Piece[PastT]] = []
    room = max_rows
    for place, (state, block) in enumerate(zip(states, tokens, strict=True)):
        start, num_rows = 0, block.shape[0]
        first = 0 if wanted is Wanted.ALL else num_rows - (wanted is Wanted.LAST)
        while start < num_rows:
            stop = min(num_rows, start + room)
            first_kept = min(max(first - start, 0), stop - start)
            run.append(Piece(place, state, block[start:stop], first_kept))
            room -= stop - start
            start = stop
            if not room:
                yield run
                run, room = [], max_rows
    if run:
        yield run
