"""A graph of one forward on a device: the cells of certain sessions, so many of each.

It is written down again when sessions or numbers of cells change, or attention's span grows by a
step; between that, a row is its inputs copied to the device and its logits copied back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType
from motet.runtime.device import backends
from motet.runtime.device.opened import OpenedDevice, write
from motet.runtime.device.places import Arrays, Name
from motet.runtime.native import ggml
from motet.runtime.native.builder import Builder
from motet.runtime.native.graph import Arena

_TYPES = {
    np.dtype(np.float32): GGMLType.F32,
    np.dtype(np.float16): GGMLType.F16,
    np.dtype(np.int32): GGMLType.I32,
    np.dtype(np.int64): GGMLType.I64,
}


@dataclass(frozen=True)
class Written:
    """What was written into a builder: the last tensor, and others that must be computed."""

    last: int
    writes: Sequence[int]


class DeviceGraph:
    """One laid-out graph. SettingError if the device lacks an operation of it.

    arrays: inputs by name, of the shapes and types that they always have. write_down: adds the
    operations to a builder, given the tensors of the inputs.
    """

    def __init__(
        self,
        opened: OpenedDevice,
        max_nodes: int,
        arrays: Arrays,
        write_down: Callable[[Builder, Mapping[Name, int]], Written],
        arena: Arena,
    ) -> None:
        self._opened = opened
        self._build = Builder(max_nodes)
        self._inputs = {name: self._input(array) for name, array in arrays.items()}
        written = write_down(self._build, self._inputs)
        self._last = written.last
        ggml.set_output(self._last)
        for tensor in (*written.writes, self._last):
            ggml.build_forward_expand(self._build.graph, tensor)
        opened.check(self._build.graph)
        arena.lay_out(self._build.graph)

    def _input(self, array: NDArray[np.generic]) -> int:
        tensor = self._build.tensor(_TYPES[array.dtype], array.shape, 0)
        backends.set_input(tensor)
        return tensor

    def compute(self, arrays: Arrays, num_logits: int) -> NDArray[np.float32]:
        """The first `num_logits` numbers of the last tensor, from these inputs."""
        for name, array in arrays.items():
            write(self._inputs[name], array)
        self._opened.compute(self._build.graph)
        logits = np.empty(num_logits, np.float32)
        if num_logits:
            backends.tensor_get(self._last, logits.ctypes.data, 0, logits.nbytes)
        return logits
