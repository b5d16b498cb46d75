"""Tensors and operations of one ggml graph, with shapes as NumPy has them.

A graph is written down once, laid out in memory once and then computed any number of times.
Tensors are addresses of `struct ggml_tensor`; what they hold beyond that is in the graph. Own
kernels take part as ggml's custom operations: each has a structure whose pointers to tensors can
only be filled when the memory is laid out, so the builder remembers which field waits for which.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import extension, ggml
from motet.runtime.native.freed import free_with
from motet.runtime.native.weights import Weight


@dataclass(frozen=True)
class Pending:
    """A field of an operation's structure that waits for the address of a tensor's data."""

    structure: ctypes.Structure
    field: str
    tensor: int


class Builder:
    """The tensors of one graph. Freed with the object."""

    def __init__(self, max_nodes: int) -> None:
        size = 2 * max_nodes * ggml.tensor_overhead() + ggml.graph_overhead(max_nodes, False)
        self.context: int = ggml.init(ggml.InitParams(size, None, True))
        free_with(self, ggml.free, self.context)
        self.graph: int = ggml.new_graph(self.context, max_nodes, False)
        self.pending: list[Pending] = []
        self.kept: list[int] = []  # tensors whose data is valid until the next computation
        self._memory: list[object] = []  # what tensors and operations point to
        self._weights: dict[int, int] = {}

    def tensor(self, kind: GGMLType, shape: Sequence[int], data: int) -> int:
        """A tensor that lies at the address `data`."""
        ne = (ctypes.c_int64 * len(shape))(*reversed(shape))
        tensor: int = ggml.new_tensor(self.context, kind, len(shape), ne)
        ggml.Tensor.from_address(tensor).data = data
        return tensor

    def weight(self, weight: Weight) -> int:
        """A weight, where it is."""
        key = weight.data.ctypes.data
        if key not in self._weights:
            self._weights[key] = self.tensor(weight.type, weight.shape, key)
            self._memory.append(weight)
        return self._weights[key]

    def input(self, num: int) -> tuple[int, NDArray[np.int32]]:
        """Integers [num] to be written before each computation: the tensor, and its memory."""
        values = np.zeros(num, np.int32)
        self._memory.append(values)
        return self.tensor(GGMLType.I32, (num,), values.ctypes.data), values

    def custom(
        self,
        kernel: str,
        structure: ctypes.Structure,
        shape: Sequence[int],
        reads: Mapping[str, int],
        *,
        after: Sequence[int] = (),
        result: str | None = None,
    ) -> int:
        """Call `kernel` with `structure`; returns a float32 tensor of `shape`.

        reads: fields of the structure that get the data of tensors. after: tensors that must be
        complete before. result: the field that gets the data of the result.
        """
        sources = [*reads.values(), *after]
        ne = [*reversed(shape), 1, 1, 1][:4]
        tensor: int = ggml.custom_4d(
            self.context, GGMLType.F32, *ne, (ctypes.c_void_p * len(sources))(*sources),
            len(sources), extension.address(kernel), ggml.N_TASKS_MAX, ctypes.addressof(structure),
        )  # fmt: skip
        self._memory.append(structure)
        self.pending += [Pending(structure, field, source) for field, source in reads.items()]
        if result is not None:
            self.pending.append(Pending(structure, result, tensor))
        return tensor

    def keep(self, tensor: int) -> None:
        """See that what `tensor`, or what it is a view of, holds is not overwritten."""
        ggml.set_output(ggml.Tensor.from_address(tensor).view_src or tensor)
        self.kept.append(tensor)

    def fill(self) -> None:
        """Give the structures their pointers; call when the graph's memory is laid out."""
        for item in self.pending:
            setattr(item.structure, item.field, ggml.Tensor.from_address(item.tensor).data)
