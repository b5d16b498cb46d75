"""The runtime on a device of ggml, behind the seam of `motet.runtime.protocol`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from motet.errors import SettingError, StateError
from motet.formats.names import EMBEDDING, HEAD
from motet.runtime.device import places
from motet.runtime.device.embedding import Embedding
from motet.runtime.device.graph import DeviceGraph, Written
from motet.runtime.device.mixing import Segment, StockMixing
from motet.runtime.device.opened import Memory, OpenedDevice
from motet.runtime.device.places import Arrays, Name, Run
from motet.runtime.device.products import DeviceProducts
from motet.runtime.device.registry import Device
from motet.runtime.device.state import KV_TYPES, DeviceState, state_bytes
from motet.runtime.native.builder import Builder
from motet.runtime.native.graph import Arena, Graphs
from motet.runtime.native.layers import Layers, conv_taps
from motet.runtime.native.operations import KVType
from motet.runtime.native.paths import Kernels, choose
from motet.runtime.native.reading import (
    MAX_CELLS,
    NODES_PER_LAYER,
    Logits,
    Reading,
    rows_of,
)
from motet.runtime.native.runs import Piece
from motet.runtime.native.support import check_model
from motet.runtime.native.weights import Model, Weight

MAX_SCORES = 1 << 26  # of one layer in one graph
NODES_PER_SESSION = 24  # in each layer

Key: TypeAlias = tuple[object, ...]


class DeviceRuntime(Reading[DeviceState]):
    """A model ready to read rows for many sessions, on one device of ggml."""

    def __init__(
        self,
        model: Model,
        device: Device,
        *,
        kv_type: KVType = KVType.F16,
        num_threads: int | None = None,
    ) -> None:
        """num_threads: of the processor, if that is the device (default: all cores).

        Raises CheckpointError if the model is unfit, SettingError if the device lacks an operation
        or memory for it.
        """
        if kv_type not in KV_TYPES:
            raise SettingError("cache", expected="f16 or f32 on a device", got=kv_type.name.lower())
        numbers = model.hyperparameters
        kinds = {name: (weight.type, weight.shape) for name, weight in model.weights.items()}
        check_model(model, choose(numbers, kinds, Kernels.STOCK).keys())
        self._opened = OpenedDevice(device, num_threads)
        super().__init__(model, kv_type, self._opened.turns)
        self._embedding = Embedding(model.weights[EMBEDDING])
        self._weights = _uploaded(model, self._opened)
        self._graphs: Graphs[Key, DeviceGraph] = Graphs(self._opened.buffer_type)
        self._check_operations()

    @property
    def device(self) -> Device:
        """What computes."""
        return self._opened.device

    def state_bytes(self, max_rows: int) -> int:
        """Bytes that a state with room for `max_rows` rows takes."""
        return state_bytes(self.state_shape, max_rows)

    def _new_state(self, max_rows: int) -> DeviceState:
        return DeviceState(self.state_shape, max_rows, opened=self._opened)

    def _available_bytes(self) -> int | None:
        return self.device.free_bytes()

    def _max_cells(self, num_rows: int) -> int:
        scores_of_cell = self.model.hyperparameters.num_heads * num_rows * self.layout.num_channels
        return min(MAX_CELLS, MAX_SCORES // max(scores_of_cell, 1))

    def _check_operations(self) -> None:
        """Read a row in each of two sessions, which takes every operation that there is."""
        row = np.zeros((1, self.layout.num_channels), np.int32)
        self.forward([self._new_state(1), self._new_state(1)], [row, row])

    def _compute(self, run: list[Piece[DeviceState]], columns: NDArray[np.int64]) -> Logits:
        arrays = places.inputs_of(run, columns, self.layout.conv_mode)
        arrays["x"] = self._embedding.of(rows_of(run).reshape(-1))
        num_wanted = len(arrays.get("wanted", ()))
        key = (
            *(piece.state.number for piece in run),
            *((name, array.shape) for name, array in arrays.items()),
        )
        try:
            graph = self._graphs.of(key, partial(self._graph, run, arrays))
            for piece in run:
                piece.state.reserve(piece.state.num_rows + piece.num_rows)
            start = time.perf_counter()
            logits = graph.compute(arrays, num_wanted * self.vocab_size)
        except MemoryError:
            raise StateError(
                f"memory of {self.device.name}", expected="room for a forward", got="less",
                fix="close other sessions, or open smaller ones",
            ) from None  # fmt: skip
        self.compute_s += time.perf_counter() - start
        return logits

    def _graph(self, run: Run, arrays: Arrays, arena: Arena) -> DeviceGraph:
        numbers, shape = self.model.hyperparameters, self.state_shape

        def write_down(build: Builder, inputs: Mapping[Name, int]) -> Written:
            products = DeviceProducts(self.model, {}, build, uploaded=self._weights.tensors)
            taps = [inputs["tap", tap] for tap in range(shape.W - 1) if shape.num_conv]
            segments = _segments(run, inputs)
            mixing = StockMixing(products, shape, numbers.num_heads, segments, taps)
            layers = Layers(self.model, products, mixing)
            num_wanted = len(arrays.get("wanted", ()))
            last = layers.logits(
                inputs["x"], len(arrays["x"]), inputs.get("positions", 0),
                inputs.get("wanted", 0), num_wanted,
            )  # fmt: skip
            return Written(last, mixing.writes)

        nodes_per_layer = NODES_PER_LAYER + NODES_PER_SESSION * len(run)
        max_nodes = nodes_per_layer * (numbers.num_layers + 1)
        return DeviceGraph(self._opened, max_nodes, arrays, write_down, arena)


def _segments(run: Run, inputs: Mapping[Name, int]) -> list[Segment]:
    """The sessions of a run, and the inputs of each."""
    segments, first = [], 0
    for place, piece in enumerate(run):
        num_cells = piece.num_rows * piece.state.shape.C
        named = {name[0]: inputs[name] for name in inputs if name[1:] == (place,)}
        span = places.span(piece)
        segments.append(Segment(piece.state, first, num_cells, span, named))
        first += num_cells
    return segments


def _uploaded(model: Model, opened: OpenedDevice) -> Memory[str]:
    """All weights but a table that only tokens are looked up in; conv taps as [W, D]."""
    weights: dict[str, Weight] = dict(model.weights)
    if HEAD in weights:
        del weights[EMBEDDING]
    for layer, taps in conv_taps(model).items():
        weights[f"blk.{layer}.shortconv.conv.weight"] = taps
    num_bytes = sum(len(weight.data) for weight in weights.values())
    free = opened.device.free_bytes()
    refusal = SettingError(
        f"memory of {opened.device.name}", expected=f"{num_bytes / 1e6:,.1f} MB for weights",
        got="less" if free is None else f"{free / 1e6:,.1f} MB free",
        fix="leave out --device, or convert the model to fewer bits",
    )  # fmt: skip
    if free is not None and num_bytes > free:
        raise refusal
    shapes = {name: (weight.type, weight.shape) for name, weight in weights.items()}
    try:
        memory = Memory(opened, shapes)
    except MemoryError:
        raise refusal from None
    for name, weight in weights.items():
        memory.write(name, weight.data)
        weight.give_back()
    return memory
