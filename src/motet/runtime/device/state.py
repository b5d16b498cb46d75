"""The state of one session on a device: preallocated tensors that a graph writes.

    keys, values   of each attention layer  [G, max_rows * C, K]
    history        of each conv layer  [slots, D] float32: conv inputs of the last 64 rows, row r at
                   r % 64; those of the W - 1 rows before each 64th; and a slot of zeros

Forks and files go through the host in the shapes of the native runtime's states, so that a saved
state goes on in either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import TypeAlias

import numpy as np

from motet.formats.ggml_types import GGMLType
from motet.runtime.device.opened import Memory, OpenedDevice
from motet.runtime.native.operations import RING_ROWS, KVType
from motet.runtime.native.state import Part, Past, StateShape
from motet.runtime.protocol import room_of

KV_TYPES = {KVType.F32: GGMLType.F32, KVType.F16: GGMLType.F16}
Name: TypeAlias = tuple[str, int]
_numbers = count()


@dataclass(frozen=True)
class Slots:
    """Where conv inputs are in a history, by row, channel and number of a snapshot."""

    shape: StateShape
    max_rows: int

    @property
    def zero(self) -> int:
        """The slot of zeros, the last one."""
        shape = self.shape
        return (RING_ROWS + shape.snapshots(self.max_rows)[0] * (shape.W - 1)) * shape.C

    def snapshot(self, number: int) -> int:
        """The first slot of a snapshot."""
        return (RING_ROWS + number * (self.shape.W - 1)) * self.shape.C


@dataclass(eq=False)
class DeviceState(Past):
    """One session's past. number: of no other state in this process, ever."""

    opened: OpenedDevice = field(kw_only=True, repr=False)
    number: int = field(init=False)
    slots: Slots = field(init=False, repr=False)
    memory: Memory[Name] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = self.shape
        self.number = next(_numbers)
        self.slots = Slots(shape, self.max_rows)
        heads = KV_TYPES[shape.kv_type], (shape.G, self.max_rows * shape.C, shape.K)
        history = GGMLType.F32, (self.slots.zero + 1, shape.D)
        with self.opened.turns:
            self.memory = Memory(
                self.opened,
                {
                    **{(kind, i): heads for kind in "kv" for i in range(shape.num_attention)},
                    **{("conv", i): history for i in range(shape.num_conv)},
                },
            )

    @property
    def num_bytes(self) -> int:
        """Bytes reserved for keys, values and conv inputs."""
        return state_bytes(self.shape, self.max_rows)

    def parts(self) -> list[Part]:
        """All that was read, copied from the device: tokens, cache, ring, snapshots."""
        parts: list[Part] = [self.tokens[: self.num_rows].copy(), *self._empty()]
        with self.opened.turns:
            for name, offset, place in self._places(parts):
                self.memory.read_into(name, place, offset)
        return parts

    def put(self, parts: Sequence[Part]) -> None:
        """Copy to the device what `parts` returned, and the caller has written into."""
        self.tokens[: self.num_rows] = parts[0]
        with self.opened.turns:
            for name, offset, place in self._places(parts):
                self.memory.write(name, place, offset)

    def fork(self, max_rows: int | None = None) -> DeviceState:
        """An independent copy of what was read, with as much room or with `max_rows`."""
        room = room_of(self, max_rows)
        twin = DeviceState(self.shape, room, self.num_rows, self.ring_from, opened=self.opened)
        twin.put(self.parts())
        return twin

    def put_back(self, snapshot: int) -> None:
        """Copy a snapshot to the last rows of the ring."""
        shape = self.shape
        rows = np.empty(((shape.W - 1) * shape.C, shape.D), np.float32)
        ring_end = (RING_ROWS - (shape.W - 1)) * shape.C
        with self.opened.turns:
            for layer in range(shape.num_conv):
                name = ("conv", layer)
                self.memory.read_into(name, rows, self.slots.snapshot(snapshot) * 4 * shape.D)
                self.memory.write(name, rows, ring_end * 4 * shape.D)

    def _empty(self) -> list[Part]:
        shape, num_rows = self.shape, self.num_rows
        ring = (shape.num_conv, min(num_rows, RING_ROWS), shape.C, shape.D)
        snapshots = (num_rows // RING_ROWS, *shape.snapshots(RING_ROWS)[1:])
        return [
            np.empty(shape.cache(num_rows), np.uint8),
            *(np.empty(s, np.float32) for s in (ring, snapshots)),
        ]

    def _places(self, parts: Sequence[Part]) -> list[tuple[Name, int, Part]]:
        """Tensor, offset in bytes, and array of each contiguous piece of all parts but tokens."""
        shape = self.shape
        _, cache, ring, snapshots = parts
        head_bytes = self.max_rows * shape.C * shape.kv_type.row_bytes(shape.K)
        places: list[tuple[Name, int, Part]] = [
            ((kind, layer), head * head_bytes, cache[layer, which, head])
            for layer in range(shape.num_attention)
            for which, kind in enumerate("kv")
            for head in range(shape.G)
        ]
        for layer in range(shape.num_conv):
            name = ("conv", layer)
            places.append((name, 0, ring[layer]))
            places += [
                (name, self.slots.snapshot(number) * 4 * shape.D, snapshot[layer])
                for number, snapshot in enumerate(snapshots)
            ]
        return places


def state_bytes(shape: StateShape, max_rows: int) -> int:
    """Bytes that a state with room for `max_rows` rows takes on a device."""
    return shape.num_bytes(max_rows) + 4 * shape.num_conv * shape.D
