"""The native runtime behind the seam of `motet.runtime.protocol`."""

from __future__ import annotations

import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.errors import SettingError
from motet.formats.names import EMBEDDING, HEAD
from motet.runtime.native import ggml
from motet.runtime.native.builder import Builder
from motet.runtime.native.graph import Arena, Graph, Graphs
from motet.runtime.native.layers import Layers, conv_taps
from motet.runtime.native.memory import available_bytes
from motet.runtime.native.operations import SEGMENT_FIELDS, Call, KVType
from motet.runtime.native.paths import Kernels, choose
from motet.runtime.native.products import Products
from motet.runtime.native.reading import (
    NODES_PER_LAYER,
    Logits,
    Reading,
    row_numbers,
    rows_of,
    wanted_cells,
)
from motet.runtime.native.rows import KernelMixing
from motet.runtime.native.runs import Piece
from motet.runtime.native.state import NativeState
from motet.runtime.native.support import check_cache, check_model
from motet.runtime.native.threads import (
    cores_beside_a_server,
    multiply_adds,
    num_cores,
    threads_worth,
)
from motet.runtime.native.tiles import Tiles
from motet.runtime.native.weights import Model


class NativeRuntime(Reading[NativeState]):
    """A model ready to read rows for many sessions, on the processor.

    paths: the way of each weight's products.
    """

    def __init__(
        self,
        model: Model,
        *,
        kv_type: KVType = KVType.F16,
        num_threads: int | None = None,
        kernels: Kernels = Kernels.OWN,
        tiles_folder: Path | None = None,
    ) -> None:
        """num_threads: exactly so many (default: all cores, where a graph is worth it).

        kernels: see `paths`. tiles_folder: see `Tiles` (default: the user's cache).

        Raises CheckpointError or SettingError if the model has a shape that no kernel can take.
        """
        numbers = model.hyperparameters
        check_cache(kv_type, numbers.head_width)
        if num_threads is not None and num_threads < 1:
            raise SettingError("threads", expected="at least 1", got=num_threads)
        super().__init__(model, kv_type, threading.Lock())
        self.num_threads = num_threads
        self._num_cores = num_cores()
        kinds = {name: (weight.type, weight.shape) for name, weight in model.weights.items()}
        self.paths = choose(numbers, kinds, kernels)
        check_model(model, self.paths.keys())
        own = [path.name for path in self.paths.values() if path.is_own]
        self._tiles = Tiles(model, own, num_threads or self._num_cores, tiles_folder)
        head = HEAD if HEAD in model.weights else EMBEDDING
        self._multiply_adds = multiply_adds(model, self.paths, head)
        self._taps = conv_taps(model)
        self._call = Call()
        self._table = np.empty((0, SEGMENT_FIELDS), np.int64)
        self._graphs: Graphs[tuple[int, int], Graph] = Graphs(ggml.cpu_buffer_type())
        self._last: Graph | None = None

    def spare_a_core(self) -> None:
        """Leave a core to a server in this process where that is faster; not if `num_threads`."""
        self._num_cores = cores_beside_a_server(self._multiply_adds[0], num_cores())

    def _new_state(self, max_rows: int) -> NativeState:
        return NativeState(self.state_shape, max_rows)

    def _available_bytes(self) -> int | None:
        return available_bytes()

    def _compute(self, run: list[Piece[NativeState]], columns: NDArray[np.int64]) -> Logits:
        num_rows = sum(piece.num_rows for piece in run)
        num_kept = sum(piece.num_kept for piece in run)
        self._last = None  # a larger graph may take its memory
        shape = num_rows * self.layout.num_channels, num_kept * len(columns)
        graph = self._graphs.of(shape, partial(self._graph, *shape))
        self._fill(graph, run, columns)
        for piece in run:
            piece.state.reserve(piece.state.num_rows + piece.num_rows)
        start = time.perf_counter()
        graph.compute(self.num_threads or self._threads_worth(graph))
        self.compute_s += time.perf_counter() - start
        self._last = graph
        return graph.logits_NV.copy()

    def _fill(
        self, graph: Graph, run: list[Piece[NativeState]], columns: NDArray[np.int64]
    ) -> None:
        """Write what the graph and the kernels read: tokens, positions, wanted cells, segments."""
        C = self.layout.num_channels
        segments, first = [], 0
        for piece in run:
            before, length = piece.state.num_rows, piece.num_rows
            segments.append((*piece.state.segment, first * C, length * C, before * C))
            first += length
        graph.tokens_T.reshape(-1, C)[:] = rows_of(run)
        graph.positions_T.reshape(-1, C)[:] = row_numbers(run)[:, None]
        graph.wanted_N[:] = wanted_cells(run, columns, C)
        self._table = np.array(segments, np.int64)
        self._call.segments, self._call.num_segments = self._table.ctypes.data, len(segments)

    def _threads_worth(self, graph: Graph) -> int:
        cell, head = self._multiply_adds
        work = graph.num_cells * cell + graph.num_wanted * head
        return threads_worth(work, self._num_cores)

    def last_experts(self) -> list[NDArray[np.int32]]:
        """The experts [T, A] that the cells of the last graph chose, layer by layer."""
        return [] if self._last is None else self._last.experts()

    def _graph(self, num_cells: int, num_wanted: int, arena: Arena) -> Graph:
        numbers = self.model.hyperparameters
        kv_type = self.state_shape.kv_type

        def write(build: Builder, tokens: int, positions: int, wanted: int) -> int:
            products = Products(self.model, self._tiles, build)
            mixing = KernelMixing(self.model, self._taps, self._call, kv_type, build)
            x = products.op(ggml.get_rows, products.weight(EMBEDDING), tokens)
            layers = Layers(self.model, products, mixing)
            return layers.logits(x, num_cells, positions, wanted, num_wanted)

        max_nodes = NODES_PER_LAYER * (numbers.num_layers + 1)
        return Graph(num_cells, num_wanted, numbers.vocab_size, max_nodes, write, arena)
