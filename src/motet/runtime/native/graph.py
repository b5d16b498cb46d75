"""A graph: the whole forward of T cells, some of which get logits, computed again and again.

Neither sessions nor their pasts are part of it: the own operations find them in the call's table.
All graphs of a runtime share one arena, because no two are ever computed at the same time. It
grows when a larger graph comes; graphs laid out in the old one are then built anew.
"""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from motet.runtime.native import ggml
from motet.runtime.native.builder import Builder
from motet.runtime.native.freed import free_with

MAX_GRAPHS = 32
Write = Callable[[Builder, int, int, int], int]
Key = TypeVar("Key", bound=Hashable)
AnyGraph = TypeVar("AnyGraph")


class Arena:
    """Memory that graphs compute in: their intermediate results, and ggml's own scratch."""

    def __init__(self, buffer_type: int) -> None:
        """buffer_type: ggml's, of the memory to take."""
        self._allocator: int = ggml.allocator_new(buffer_type)
        free_with(self, ggml.allocator_free, self._allocator)
        self.scratch = np.empty(1, np.uint8)

    @property
    def num_bytes(self) -> int:
        """Bytes of intermediate results; it changes when they have moved."""
        size: int = ggml.allocator_size(self._allocator, 0)
        return size

    def lay_out(self, graph: int) -> None:
        """Give every intermediate result of `graph` its place."""
        if not ggml.allocate_graph(self._allocator, graph):
            raise MemoryError("no memory for the intermediate results of a forward")

    def scratch_of(self, num_bytes: int) -> NDArray[np.uint8]:
        """Scratch of at least `num_bytes` bytes."""
        if self.scratch.nbytes < num_bytes:
            self.scratch = np.empty(num_bytes, np.uint8)
        return self.scratch


class Graph:
    """One laid-out graph of T cells and N logits of V numbers.

    write: adds the operations to a builder, from the tensors of tokens, positions and wanted cells
    to the logits. tokens_T, positions_T and wanted_N are written before `compute`.
    """

    def __init__(self, T: int, N: int, V: int, max_nodes: int, write: Write, arena: Arena) -> None:
        self._arena = arena
        self.num_cells, self.num_wanted = T, N
        self.build = Builder(max_nodes)
        tokens, self.tokens_T = self.build.input(T)
        positions, self.positions_T = self.build.input(T)
        wanted, self.wanted_N = self.build.input(N)
        logits = write(self.build, tokens, positions, wanted)
        ggml.set_output(logits)
        ggml.build_forward_expand(self.build.graph, logits)
        arena.lay_out(self.build.graph)
        self.build.fill()
        address: int = ggml.Tensor.from_address(logits).data
        self.logits_NV = _floats(address, (N, V))
        self._plans: dict[int, tuple[ggml.Plan, NDArray[np.uint8]]] = {}

    def experts(self) -> list[NDArray[np.int32]]:
        """The experts of each cell [T, A] in every layer that has any, as last computed."""
        kept = [ggml.Tensor.from_address(tensor) for tensor in self.build.kept]
        found = []
        for tensor in kept:
            A, T, row = tensor.ne[0], tensor.ne[1], tensor.nb[1] // 4
            memory = (ctypes.c_int32 * ((T - 1) * row + A)).from_address(tensor.data)
            flat = np.ctypeslib.as_array(memory)
            found.append(np.stack([flat[t * row : t * row + A] for t in range(T)]))
        return found

    def compute(self, num_threads: int) -> None:
        """Compute; `logits_NV` is valid until the next graph of the arena is computed."""
        plan, scratch = self._plans.get(num_threads, (None, None))
        if plan is None or scratch is not self._arena.scratch:
            plan = self._plan(num_threads)
        if ggml.graph_compute(self.build.graph, plan) != 0:
            raise MemoryError("no memory for a forward")

    def _plan(self, num_threads: int) -> ggml.Plan:
        plan: ggml.Plan = ggml.graph_plan(self.build.graph, num_threads, None)
        scratch = self._arena.scratch_of(plan.work_size)
        plan.work_data = scratch.ctypes.data_as(ctypes.POINTER(ctypes.c_uint8))
        self._plans[num_threads] = plan, scratch
        return plan


class Graphs(Generic[Key, AnyGraph]):
    """The graphs of one runtime by what shapes them, the latest `MAX_GRAPHS` of them."""

    def __init__(self, buffer_type: int) -> None:
        self._arena = Arena(buffer_type)
        self._graphs: OrderedDict[Key, AnyGraph] = OrderedDict()

    @property
    def num_bytes(self) -> int:
        """Bytes that all graphs compute in."""
        return self._arena.num_bytes

    def of(self, key: Key, make: Callable[[Arena], AnyGraph]) -> AnyGraph:
        """The graph of this shape, which `make` lays out in the arena if it is not there."""
        if key in self._graphs:
            self._graphs.move_to_end(key)
            return self._graphs[key]
        before = self._arena.num_bytes
        graph = make(self._arena)
        if self._arena.num_bytes != before:
            self._graphs.clear()
        if len(self._graphs) == MAX_GRAPHS:
            self._graphs.popitem(last=False)
        self._graphs[key] = graph
        return graph


def _floats(address: int, shape: tuple[int, int]) -> NDArray[np.float32]:
    memory = (ctypes.c_float * (shape[0] * shape[1])).from_address(address)
    return np.ndarray(shape, np.float32, memoryview(memory).cast("B"))
