"""The native runtime behind the seam of `motet.runtime.protocol`."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from motet.errors import SettingError, StateError
from motet.formats.names import EMBEDDING, HEAD
from motet.runtime.native.builder import Builder
from motet.runtime.native.digest import digest_of
from motet.runtime.native.graph import Arena, Graph, Graphs
from motet.runtime.native.layers import Inputs, Layers, conv_taps
from motet.runtime.native.memory import available_bytes
from motet.runtime.native.operations import SEGMENT_FIELDS, Call, KVType
from motet.runtime.native.paths import Kernels, choose
from motet.runtime.native.products import Products
from motet.runtime.native.runs import Piece, cut
from motet.runtime.native.saved import load_state, save_state
from motet.runtime.native.state import NativeState, StateShape
from motet.runtime.native.support import check_cache, check_model
from motet.runtime.native.threads import (
    cores_beside_a_server,
    multiply_adds,
    num_cores,
    threads_worth,
)
from motet.runtime.native.tiles import Tiles
from motet.runtime.native.weights import Model
from motet.runtime.protocol import Wanted, check_tokens
from motet.streams.grid import Tokens
from motet.streams.layout import Layout

MAX_CELLS = 512  # of one graph; more are read one after the other
MAX_LOGITS = 1 << 24  # of one graph
NODES_PER_LAYER = 64

Logits = NDArray[np.float32]


class NativeRuntime:
    """A model ready to read rows for many sessions, on the processor.

    paths: the way of each weight's products. compute_s: seconds spent in graphs so far.
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
        self.model = model
        self.num_threads = num_threads
        self._num_cores = num_cores()
        self.state_shape = StateShape.of(numbers, model.layout.num_channels, kv_type)
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
        self._graphs = Graphs(self._graph)
        self._one_at_a_time = threading.Lock()
        self._last: Graph | None = None
        self.compute_s = 0.0

    def spare_a_core(self) -> None:
        """Leave a core to a server in this process where that is faster; not if `num_threads`."""
        self._num_cores = cores_beside_a_server(self._multiply_adds[0], num_cores())

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

    def open(self, max_rows: int) -> NativeState:
        """An empty state with room for `max_rows` rows; StateError if memory does not hold it."""
        if not 1 <= max_rows <= self.context_rows:
            raise StateError("max_rows", expected=f"1 to {self.context_rows}", got=max_rows)
        needed, available = self.state_bytes(max_rows), available_bytes()
        if available is not None and needed > available:
            rows = range(1, max_rows + 1)
            most = bisect_right(rows, available, key=self.state_bytes)
            raise StateError(
                f"memory for {max_rows} rows", expected=f"{needed / 1e6:,.1f} MB",
                got=f"{available / 1e6:,.1f} MB free",
                fix=f"open at most {most} rows" if most else "close other sessions",
            )  # fmt: skip
        try:
            return NativeState(self.state_shape, max_rows)
        except MemoryError:
            raise StateError(
                f"memory for {max_rows} rows", expected=f"{needed / 1e6:,.1f} MB", got="less",
                fix="open fewer rows",
            ) from None  # fmt: skip

    def forward(
        self,
        states: Sequence[NativeState],
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
        max_rows = MAX_CELLS // C
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

    def _read(self, run: list[Piece], columns: NDArray[np.int64]) -> list[Logits]:
        """Compute one graph: the logits of the kept rows of each piece, [kept, columns, V]."""
        C = self.layout.num_channels
        num_rows = sum(piece.num_rows for piece in run)
        kept = [piece.num_kept for piece in run]
        self._last = None  # a larger graph may take its memory
        graph = self._graphs.of(num_rows * C, sum(kept) * len(columns))
        self._fill(graph, run, columns)
        for piece in run:
            piece.state.reserve(piece.state.num_rows + piece.num_rows)
        start = time.perf_counter()
        graph.compute(self.num_threads or self._threads_worth(graph))
        self.compute_s += time.perf_counter() - start
        self._last = graph
        for piece in run:
            piece.state.append(piece.rows_RC)
        logits = graph.logits_NV.copy().reshape(sum(kept), len(columns), self.vocab_size)
        return np.split(logits, np.cumsum(kept)[:-1])

    def _fill(self, graph: Graph, run: list[Piece], columns: NDArray[np.int64]) -> None:
        """Write what the graph and the kernels read: tokens, positions, wanted cells, segments."""
        C = self.layout.num_channels
        segments, positions, rows, first = [], [], [], 0
        for piece in run:
            before, length = piece.state.num_rows, piece.num_rows
            segments.append((*piece.state.segment, first * C, length * C, before * C))
            positions.append(np.arange(before, before + length))
            rows.append(np.arange(first + piece.first_kept, first + length))
            first += length
        tokens = [piece.rows_RC for piece in run]
        np.concatenate(tokens, out=graph.tokens_T.reshape(-1, C), casting="unsafe")
        graph.positions_T.reshape(-1, C)[:] = np.concatenate(positions)[:, None]
        graph.wanted_N[:] = (np.concatenate(rows)[:, None] * C + columns).reshape(-1)
        self._table = np.array(segments, np.int64)
        self._call.segments, self._call.num_segments = self._table.ctypes.data, len(segments)

    def _threads_worth(self, graph: Graph) -> int:
        cell, head = self._multiply_adds
        work = graph.num_cells * cell + graph.num_wanted * head
        return threads_worth(work, self._num_cores)

    def truncate(self, state: NativeState, num_rows: int) -> None:
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

    def save_state(self, state: NativeState, path: Path) -> None:
        """Write a state to a file, whole or not at all."""
        save_state(state, path, self.model, self._digest)

    def load_state(self, path: Path) -> NativeState:
        """Read what `save_state` wrote; StateError if it is broken or of another model."""
        return load_state(path, self.model, self._digest, self.open)

    def last_experts(self) -> list[NDArray[np.int32]]:
        """The experts [T, A] that the cells of the last graph chose, layer by layer."""
        return [] if self._last is None else self._last.experts()

    @cached_property
    def _digest(self) -> str:
        return digest_of(self.model)

    def _graph(self, num_cells: int, num_wanted: int, arena: Arena) -> Graph:
        numbers = self.model.hyperparameters
        kv_type = self.state_shape.kv_type

        def write(build: Builder, inputs: Inputs) -> int:
            products = Products(self.model, self._tiles, build)
            layers = Layers(self.model, self._taps, self._call, kv_type, products)
            return layers.logits(num_cells, num_wanted, inputs)

        max_nodes = NODES_PER_LAYER * (numbers.num_layers + 1)
        return Graph(num_cells, num_wanted, numbers.vocab_size, max_nodes, write, arena)
