"""The state of one session, and the native runtime's: preallocated memory that kernels write.

    cache       keys and values  [attention layers, 2, G, max_rows * C, bytes of a head]
    ring        conv inputs of the last 64 rows  [conv layers, 64, C, D], row r at r % 64
    snapshots   conv inputs of the W - 1 rows before each 64th  [n, conv layers, W - 1, C, D]

Rows may be cut off as long as the ring still holds the W - 1 rows before the cut; before that, the
nearest snapshot is put back and at most 63 rows are read again. A cache row is never moved.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.formats.hyperparameters import Hyperparameters
from motet.runtime.native.operations import RING_ROWS, KVType
from motet.runtime.protocol import room_of
from motet.streams.grid import Tokens

Part: TypeAlias = NDArray[np.uint8] | NDArray[np.float32] | NDArray[np.int32]


@dataclass(frozen=True)
class StateShape:
    """The sizes of a model's states."""

    num_attention: int
    num_conv: int
    C: int
    D: int
    G: int
    K: int
    W: int
    kv_type: KVType

    @classmethod
    def of(cls, numbers: Hyperparameters, C: int, kv_type: KVType) -> StateShape:
        """Those of a model with these numbers and C channels."""
        num_conv = numbers.num_kv_heads.count(0)
        return cls(
            num_attention=numbers.num_layers - num_conv,
            num_conv=num_conv,
            C=C,
            D=numbers.width,
            G=max(numbers.num_kv_heads),
            K=numbers.head_width,
            W=max(numbers.conv_width, 1),
            kv_type=kv_type,
        )

    def cache(self, max_rows: int) -> tuple[int, ...]:
        """Shape of the cache, in bytes."""
        cells, width = max_rows * self.C, self.kv_type.row_bytes(self.K)
        return (self.num_attention, 2, self.G, cells, width)

    @property
    def ring(self) -> tuple[int, ...]:
        """Shape of the ring, in floats."""
        return (self.num_conv, RING_ROWS, self.C, self.D)

    def snapshots(self, max_rows: int) -> tuple[int, ...]:
        """Shape of the snapshots, in floats."""
        return (-(-max_rows // RING_ROWS), self.num_conv, self.W - 1, self.C, self.D)

    def num_bytes(self, max_rows: int) -> int:
        """Bytes that a state with room for `max_rows` rows reserves."""
        floats = _size(self.ring) + _size(self.snapshots(max_rows))
        return _size(self.cache(max_rows)) + 4 * floats


@dataclass(eq=False)
class Past(ABC):
    """One session's past, wherever its memory is.

    ring_from: the first row whose conv input the ring still holds.
    """

    shape: StateShape
    max_rows: int
    num_rows: int = 0
    ring_from: int = 0
    tokens: Tokens = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.tokens = np.zeros((self.max_rows, self.shape.C), np.int32)

    @property
    @abstractmethod
    def num_bytes(self) -> int:
        """Bytes reserved for keys, values and conv inputs."""

    @property
    def tokens_RC(self) -> Tokens:
        """The tokens that were read, [num_rows, C]; a copy."""
        return self.tokens[: self.num_rows].copy()

    @abstractmethod
    def parts(self) -> list[Part]:
        """All that was read: tokens, cache, ring, snapshots."""

    @abstractmethod
    def put(self, parts: Sequence[Part]) -> None:
        """Make what `parts` returned, and the caller has written into, this state's."""

    @abstractmethod
    def fork(self, max_rows: int | None = None) -> Self:
        """An independent copy of what was read, with as much room or with `max_rows`."""

    @abstractmethod
    def put_back(self, snapshot: int) -> None:
        """Copy a snapshot to the last rows of the ring."""

    def holds_past_of(self, num_rows: int) -> bool:
        """Whether the ring holds the conv inputs that row number `num_rows` needs."""
        return self.shape.num_conv == 0 or self.ring_from <= max(0, num_rows - self.shape.W + 1)

    def reserve(self, num_rows: int) -> None:
        """Say that the ring will be written up to row `num_rows`, which overwrites old rows."""
        self.ring_from = max(self.ring_from, num_rows - RING_ROWS)

    def append(self, rows_RC: Tokens) -> None:
        """Say that these rows have been read."""
        after = self.num_rows + rows_RC.shape[0]
        self.tokens[self.num_rows : after] = rows_RC
        self.num_rows = after

    def restore(self, num_rows: int) -> None:
        """Go back to the last snapshot at or before `num_rows`, or to the start."""
        slot = num_rows // RING_ROWS
        self.num_rows = slot * RING_ROWS
        self.ring_from = 0
        if slot:
            self.ring_from = self.num_rows - (self.shape.W - 1)
            self.put_back(slot - 1)


PastT = TypeVar("PastT", bound=Past)


@dataclass(eq=False)
class NativeState(Past):
    """One session's past in memory that the kernels write."""

    cache: NDArray[np.uint8] = field(init=False, repr=False)
    ring: NDArray[np.float32] = field(init=False, repr=False)
    snapshots: NDArray[np.float32] = field(init=False, repr=False)
    segment: tuple[int, int, int, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.shape
        self.cache = np.empty(shape.cache(self.max_rows), np.uint8)
        self.ring = np.empty(shape.ring, np.float32)
        self.snapshots = np.empty(shape.snapshots(self.max_rows), np.float32)
        addresses = (a.ctypes.data for a in (self.cache, self.ring, self.snapshots))
        self.segment = (*addresses, self.max_rows * shape.C)  # type: ignore[assignment]

    @property
    def num_bytes(self) -> int:
        """Bytes reserved for keys, values and conv inputs."""
        return self.cache.nbytes + self.ring.nbytes + self.snapshots.nbytes

    def parts(self) -> list[Part]:
        """All that was read, as views: tokens, cache, ring, snapshots."""
        return [
            self.tokens[: self.num_rows],
            self.cache[:, :, :, : self.num_rows * self.shape.C],
            self.ring[:, : min(self.num_rows, RING_ROWS)],
            self.snapshots[: self.num_rows // RING_ROWS],
        ]

    def put(self, _parts: Sequence[Part]) -> None:
        """Nothing: what was written into the parts was written here."""

    def fork(self, max_rows: int | None = None) -> NativeState:
        """An independent copy of what was read, with as much room or with `max_rows`."""
        room = room_of(self, max_rows)
        twin = NativeState(self.shape, room, self.num_rows, self.ring_from)
        for mine, theirs in zip(self.parts(), twin.parts(), strict=True):
            theirs[...] = mine
        return twin

    def put_back(self, snapshot: int) -> None:
        """Copy a snapshot to the last rows of the ring."""
        self.ring[:, RING_ROWS - (self.shape.W - 1) :] = self.snapshots[snapshot]


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for length in shape:
        size *= length
    return size
