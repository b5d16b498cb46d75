"""What runtimes of models in GGUF's names do alike: rooms, runs of rows, cuts, saved states."""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, Generic

import numpy as np
from numpy.typing import NDArray

from motet.errors import StateError
from motet.runtime.native.digest import digest_of
from motet.runtime.native.operations import KVType
from motet.runtime.native.runs import Piece, cut
from motet.runtime.native.saved import load_state, save_state
from motet.runtime.native.state import PastT, StateShape
from motet.runtime.native.weights import Model
from motet.runtime.protocol import Wanted, check_tokens
from motet.streams.grid import Tokens
from motet.streams.layout import Layout

MAX_CELLS = 512  # of one graph; more are read one after the other
MAX_LOGITS = 1 << 24  # of one graph
NODES_PER_LAYER = 64

Logits = NDArray[np.float32]


class Reading(ABC, Generic[PastT]):
    """A model ready to read rows for many sessions. compute_s: seconds spent in graphs so far."""

    def __init__(self, model: Model, kv_type: KVType, turns: AbstractContextManager[Any]) -> None:
        """turns: held by the thread that computes."""
        self.model = model
        self.state_shape = StateShape.of(model.hyperparameters, model.layout.num_channels, kv_type)
        self._one_at_a_time = turns
        self.compute_s = 0.0

    @abstractmethod
    def _new_state(self, max_rows: int) -> PastT:
        """An empty state; MemoryError if there is no memory for it."""

    @abstractmethod
    def _available_bytes(self) -> int | None:
        """Bytes of memory that states may take, if that is known."""

    @abstractmethod
    def _compute(self, run: list[Piece[PastT]], columns: NDArray[np.int64]) -> Logits:
        """Logits [kept rows * columns, V] of the kept rows of all pieces; the caller's own.

        Reserves the rows in the states before it writes, and leaves it to others to append them.
        """

    def _max_cells(self, _num_rows: int) -> int:
        """Cells of one graph at most, if the longest state has `num_rows` rows after it."""
        return MAX_CELLS

    @property
    def layout(self) -> Layout:
        """The layout that travels with the weights."""
        return self.model.layout

    @property
    def vocab_size(self) -> int:
        """V."""
        return self.model.hyperparameters.vocab_size

    @property
    def context_rows(self) -> int:
        """Rows that the model's positions reach."""
        return self.model.hyperparameters.context_rows

    def state_bytes(self, max_rows: int) -> int:
        """Bytes that a state with room for `max_rows` rows takes when it is full."""
        return self.state_shape.num_bytes(max_rows)

    def open(self, max_rows: int) -> PastT:
        """An empty state with room for `max_rows` rows; StateError if memory does not hold it."""
        if not 1 <= max_rows <= self.context_rows:
            raise StateError("max_rows", expected=f"1 to {self.context_rows}", got=max_rows)
        needed, available = self.state_bytes(max_rows), self._available_bytes()
        if available is not None and needed > available:
            rows = range(1, max_rows + 1)
            most = bisect_right(rows, available, key=self.state_bytes)
            raise StateError(
                f"memory for {max_rows} rows", expected=f"{needed / 1e6:,.1f} MB",
                got=f"{available / 1e6:,.1f} MB free",
                fix=f"open at most {most} rows" if most else "close other sessions",
            )  # fmt: skip
        try:
            return self._new_state(max_rows)
        except MemoryError:
            raise StateError(
                f"memory for {max_rows} rows", expected=f"{needed / 1e6:,.1f} MB", got="less",
                fix="open fewer rows",
            ) from None  # fmt: skip

    def forward(
        self,
        states: Sequence[PastT],
        tokens: Sequence[Tokens],
        *,
        wanted: Wanted = Wanted.LAST,
        channels: Sequence[int] | None = None,
    ) -> list[Logits]:
        """Read rows; see `Runtime.forward`. Many rows are read in runs of `MAX_CELLS` cells."""
        check_tokens(self, states, tokens, channels)
        C, V = self.layout.num_channels, self.vocab_size
        columns = np.arange(C) if channels is None else np.array(channels, np.int64)
        for state in states:
            if not state.holds_past_of(state.num_rows):  # an interrupted forward overwrote it
                self.truncate(state, state.num_rows)
        ends = [state.num_rows + len(rows) for state, rows in zip(states, tokens, strict=True)]
        max_rows = self._max_cells(max(ends, default=0)) // C
        if wanted is Wanted.ALL:
            max_rows = min(max_rows, MAX_LOGITS // (V * max(len(columns), 1)))
        parts: list[list[Logits]] = [[] for _ in states]
        for run in cut(states, tokens, wanted, max(max_rows, 1)):
            with self._one_at_a_time:
                read = self._read(run, columns)
            for piece, logits in zip(run, read, strict=True):
                if len(logits):
                    parts[piece.place].append(logits)
        empty = np.empty((0, len(columns), V), np.float32)
        return [np.concatenate(p) if len(p) > 1 else p[0] if p else empty for p in parts]

    def _read(self, run: list[Piece[PastT]], columns: NDArray[np.int64]) -> list[Logits]:
        """Compute one graph: the logits of the kept rows of each piece, [kept, columns, V]."""
        kept = [piece.num_kept for piece in run]
        logits = self._compute(run, columns)
        for piece in run:
            piece.state.append(piece.rows_RC)
        logits = logits.reshape(sum(kept), len(columns), self.vocab_size)
        return np.split(logits, np.cumsum(kept)[:-1])

    def truncate(self, state: PastT, num_rows: int) -> None:
        """Cut back to `num_rows`; if the ring is past that, read up to 63 rows again."""
        if not 0 <= num_rows <= state.num_rows:
            raise StateError("truncate", expected=f"0 to {state.num_rows} rows", got=num_rows)
        if state.holds_past_of(num_rows):
            state.num_rows = num_rows
            return
        state.restore(num_rows)
        rest = state.tokens[state.num_rows : num_rows].copy()
        if len(rest):
            self.forward([state], [rest], wanted=Wanted.NONE)

    def save_state(self, state: PastT, path: Path) -> None:
        """Write a state to a file, whole or not at all."""
        save_state(state, path, self.model, self._digest)

    def load_state(self, path: Path) -> PastT:
        """Read what `save_state` wrote; StateError if it is broken or of another model."""
        return load_state(path, self.model, self._digest, self.open)

    @cached_property
    def _digest(self) -> str:
        return digest_of(self.model)


def rows_of(run: Sequence[Piece[PastT]]) -> Tokens:
    """The rows of all pieces, one after the other, [rows, C]."""
    rows = [piece.rows_RC for piece in run]
    return np.concatenate(rows, dtype=np.int32, casting="unsafe")


def row_numbers(run: Sequence[Piece[PastT]]) -> NDArray[np.int64]:
    """The number of each of these rows in its session."""
    starts = [(piece.state.num_rows, piece.num_rows) for piece in run]
    return np.concatenate([np.arange(start, start + num) for start, num in starts])


def wanted_cells(
    run: Sequence[Piece[PastT]], columns: NDArray[np.int64], C: int
) -> NDArray[np.int64]:
    """The cells of the forward, row-major, whose logits are wanted: those of the kept rows."""
    rows, first = [], 0
    for piece in run:
        rows.append(np.arange(first + piece.first_kept, first + piece.num_rows))
        first += piece.num_rows
    cells: NDArray[np.int64] = (np.concatenate(rows)[:, None] * C + columns).reshape(-1)
    return cells
