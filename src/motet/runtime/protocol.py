"""What the engine asks of a runtime, and nothing more.

A runtime owns weights. A state is one session's past: keys and values, conv inputs, and the
tokens they came from. States are values: they are passed in, can be forked, truncated, saved and
loaded, and a state that is not named in a call stays bit-identical. Arrays on this seam are NumPy,
so nothing above it knows which library computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Generic, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.errors import ContextFullError, GridError, StateError
from motet.streams.grid import Tokens
from motet.streams.layout import Layout


class Wanted(Enum):
    """Which rows' logits a forward returns."""

    NONE = "none"
    LAST = "last"
    ALL = "all"


class State(Protocol):
    """The past of one session."""

    @property
    def num_rows(self) -> int:
        """Rows read so far."""
        ...

    @property
    def max_rows(self) -> int:
        """Rows that this state has room for."""
        ...

    @property
    def num_bytes(self) -> int:
        """Bytes reserved for keys, values and conv inputs."""
        ...

    @property
    def tokens_RC(self) -> Tokens:
        """The tokens that were read, [num_rows, C]; a copy."""
        ...

    def fork(self, max_rows: int | None = None) -> Self:
        """An independent copy; the parent is untouched by what happens to it.

        max_rows: its room (default: as much); StateError if what was read does not fit.
        """
        ...


StateT = TypeVar("StateT", bound=State)


class Runtime(Protocol, Generic[StateT]):
    """Weights of one model, ready to read rows."""

    @property
    def layout(self) -> Layout:
        """The layout that travels with the weights."""
        ...

    @property
    def vocab_size(self) -> int:
        """V."""
        ...

    @property
    def context_rows(self) -> int:
        """Rows that the model's positions reach."""
        ...

    def open(self, max_rows: int) -> StateT:
        """An empty state with room for `max_rows` rows, reserved now."""
        ...

    def forward(
        self,
        states: Sequence[StateT],
        tokens: Sequence[Tokens],
        *,
        wanted: Wanted = Wanted.LAST,
        channels: Sequence[int] | None = None,
    ) -> list[NDArray[np.float32]]:
        """Read rows: tokens[i], shape [R_i, C] with R_i >= 1, continue states[i] in place.

        One row is a decode, several are a prefill; the numbers of rows may differ. Returns, for
        each state, float32 logits [R_i or 1 or 0, len(channels), V] of all, the last or no rows;
        `channels` (default: all) says which columns' logits to compute. Logits at (r, c)
        predict the token at (r + 1, c). Raises ContextFullError or GridError before any state
        has changed.
        """
        ...

    def truncate(self, state: StateT, num_rows: int) -> None:
        """Make `state` as if only its first `num_rows` rows had been read."""
        ...

    def save_state(self, state: StateT, path: Path) -> None:
        """Write a state to a file, whole or not at all."""
        ...

    def load_state(self, path: Path) -> StateT:
        """Read what `save_state` wrote; StateError if it is broken or of another model."""
        ...


def room_of(state: State, max_rows: int | None) -> int:
    """The room of a fork, as it was asked for; StateError if it is too small."""
    if max_rows is None:
        return state.max_rows
    if max_rows < state.num_rows:
        raise StateError("fork", expected=f"room for {state.num_rows} rows", got=max_rows)
    return max_rows


def check_tokens(
    runtime: Runtime[StateT],
    states: Sequence[StateT],
    tokens: Sequence[Tokens],
    channels: Sequence[int] | None = None,
) -> None:
    """Raise the error that `Runtime.forward` promises if the arguments do not fit."""
    if len(states) != len(tokens) or len({id(state) for state in states}) < len(states):
        raise GridError(
            "forward", expected="one block of rows for each of distinct states",
            got=f"{len(states)} states, {len(tokens)} blocks",
        )  # fmt: skip
    num_channels = runtime.layout.num_channels
    if channels is not None and not all(0 <= channel < num_channels for channel in channels):
        raise GridError("channels", expected=f"0 to {num_channels - 1}", got=list(channels))
    for state, block in zip(states, tokens, strict=True):
        if block.ndim != 2 or block.shape[1] != num_channels or block.shape[0] < 1:
            raise GridError(
                "rows", expected=f"shape [R >= 1, {num_channels}]", got=list(block.shape)
            )
        if block.dtype.kind not in "iu":
            raise GridError("rows", expected="integer token ids", got=block.dtype)
        if block.min() < 0 or block.max() >= runtime.vocab_size:
            raise GridError(
                "token ids", expected=f"0 to {runtime.vocab_size - 1}",
                got=f"{block.min()} to {block.max()}",
            )  # fmt: skip
        if state.num_rows + block.shape[0] > state.max_rows:
            raise ContextFullError(
                "context", expected=f"at most {state.max_rows} rows",
                got=state.num_rows + block.shape[0],
            )  # fmt: skip
