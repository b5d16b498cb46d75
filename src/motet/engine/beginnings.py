"""Shared beginnings: what many sessions begin with is read once.

A state that has read a beginning (opening, system text, history, prompt) is kept; a session that
begins with the same rows, or the first of them, forks it and reads only what differs. A state is a
function of its rows, so nobody can tell the difference but by the clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic

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
    """The beginnings that were used last, in at most `max_bytes`. num_hits, num_rows: shared."""

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

    def find(self, tokens_RC: Tokens, max_rows: int) -> StateT | None:
        """A state with room for `max_rows` that has read the first of these rows, as many as any.

        At least one is left to be read, for what it predicts.
        """
        if len(tokens_RC) <= MIN_ROWS or not self._kept:
            return None
        num_common, place = max(
            (_num_common(kept.tokens_RC, tokens_RC[:-1]), n) for n, kept in enumerate(self._kept)
        )
        if num_common < MIN_ROWS:
            return None
        found = self._kept.pop(place)
        self._kept.append(found)
        state = found.state.fork(max_rows)
        self._runtime.truncate(state, num_common)
        self.num_hits, self.num_rows = self.num_hits + 1, self.num_rows + num_common
        return state

    def add(self, state: StateT) -> None:
        """Keep a copy of a state, in place of those that it goes on from."""
        tokens_RC = state.tokens_RC
        num_rows = len(tokens_RC)
        if num_rows < MIN_ROWS or any(
            _num_common(kept.tokens_RC, tokens_RC) == num_rows for kept in self._kept
        ):
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


def _num_common(a_RC: Tokens, b_RC: Tokens) -> int:
    """How many rows both begin with."""
    num_rows = min(len(a_RC), len(b_RC))
    differs = (a_RC[:num_rows] != b_RC[:num_rows]).any(axis=1)
    return int(differs.argmax()) if differs.any() else num_rows
