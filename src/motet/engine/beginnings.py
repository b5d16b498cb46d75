"""Shared beginnings: what many sessions begin with is read once.

A state that has read a beginning (opening, system text, history, prompt) is kept; a session that
begins with the same rows, or the first of them, forks it and reads only what differs. One that
comes while another is still reading the same waits for it. A state is a function of its rows (law
2), so nobody can tell the difference but by the clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import numpy as np

from motet.engine.session import Session
from motet.runtime.protocol import Runtime, StateT
from motet.streams.grid import Tokens

MIN_ROWS = 16


@dataclass(frozen=True, eq=False)
class Beginning(Generic[StateT]):
    """Rows that were read, and the state they left."""

    tokens_RC: Tokens
    state: StateT

    @property
    def num_bytes(self) -> int:
        """Bytes that it keeps."""
        return self.state.num_bytes + self.tokens_RC.nbytes


class Beginnings(Generic[StateT]):
    """The beginnings that were used last, in at most `max_bytes`; 0 keeps none.

    num_hits, num_rows: how often something was shared so far, and how many rows in all.
    """

    def __init__(self, runtime: Runtime[StateT], max_bytes: int) -> None:
        self._runtime = runtime
        self._max_bytes = max_bytes
        self._kept: list[Beginning[StateT]] = []  # the one that was used last comes last
        self.num_hits = 0
        self.num_rows = 0

    @property
    def num_bytes(self) -> int:
        """Bytes that are kept."""
        return sum(beginning.num_bytes for beginning in self._kept)

    def share(self, opening: Sequence[Session[StateT]]) -> set[int]:
        """Give sessions that have read nothing a state that has read what they begin with.

        opening: active sessions that are still to read a beginning. Returns ids of those that are
        to wait for another one of them.
        """
        waits: set[int] = set()
        being_read: list[Tokens] = []
        for session in opening:
            context = session.context
            tokens_RC = session.next_prefill(context.room).tokens_RC
            if session.rows:
                being_read.append(np.concatenate([session.grid.tokens_RC, tokens_RC]))
            elif self._is_worth_waiting(tokens_RC, being_read):
                waits.add(id(session))
            else:
                being_read.append(tokens_RC)
                self._runtime.truncate(context.state, 0)  # a forward may have failed after this
                shared = self.find(tokens_RC[: context.rows_to_roll(0)], context.room)
                if shared is not None:
                    context.state, session.shared_rows = shared, shared.num_rows
        return waits

    def find(self, tokens_RC: Tokens, max_rows: int) -> StateT | None:
        """A state with room for `max_rows` that has read the first of these rows, as many as any.

        At least one is left to be read, for what it predicts.
        """
        num_common, place = self._closest(tokens_RC)
        if num_common < MIN_ROWS:
            return None
        found = self._kept.pop(place)
        self._kept.append(found)
        state = found.state.fork(max(max_rows, found.state.num_rows))
        self._runtime.truncate(state, num_common)
        if state.max_rows > max_rows:  # it was longer than what is asked for may become
            state = state.fork(max_rows)
        self.num_hits, self.num_rows = self.num_hits + 1, self.num_rows + num_common
        return state

    def add(self, state: StateT) -> None:
        """Keep a copy of a state, in place of those that it goes on from."""
        tokens_RC = state.tokens_RC
        num_rows = len(tokens_RC)
        is_kept = any(_num_common(kept.tokens_RC, tokens_RC) == num_rows for kept in self._kept)
        if self._max_bytes == 0 or num_rows < MIN_ROWS or is_kept:
            return
        new = Beginning(tokens_RC, state.fork(num_rows))
        if new.num_bytes > self._max_bytes:
            return
        self._kept = [
            kept
            for kept in self._kept
            if _num_common(kept.tokens_RC, tokens_RC) < len(kept.tokens_RC)
        ]
        self._kept.append(new)
        while self.num_bytes > self._max_bytes:
            del self._kept[0]

    def _closest(self, tokens_RC: Tokens) -> tuple[int, int]:
        """How many rows but the last one are kept at most, and where."""
        commons = [_num_common(kept.tokens_RC, tokens_RC[:-1]) for kept in self._kept]
        return max(((rows, place) for place, rows in enumerate(commons)), default=(0, 0))

    def _is_worth_waiting(self, tokens_RC: Tokens, being_read: Sequence[Tokens]) -> bool:
        """Whether another session is about to have read most of this, and not much more."""
        if self._max_bytes == 0 or not being_read or len(tokens_RC) <= MIN_ROWS:
            return False
        num_common, length = max(
            (_num_common(other, tokens_RC[:-1]), -len(other)) for other in being_read
        )
        is_most = 2 * num_common >= max(len(tokens_RC), -length)
        return is_most and num_common > self._closest(tokens_RC)[0]


def _num_common(a_RC: Tokens, b_RC: Tokens) -> int:
    """How many rows both begin with."""
    num_rows = min(len(a_RC), len(b_RC))
    differs = (a_RC[:num_rows] != b_RC[:num_rows]).any(axis=1)
    return int(differs.argmax()) if differs.any() else num_rows
