"""Ways to break the native runtime, each of which some law must notice.

A mutant patches Python's side of the runtime for the length of one test: what it writes into
graphs, states and the kernels' structures. What the kernels do by themselves is held against a
plain reference in `test_rows`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.formats.names import CHANNEL_EMBEDDING
from motet.runtime.native import Model, NativeRuntime, NativeState
from motet.runtime.native import reading as reading_module
from motet.runtime.native import rows as rows_module
from motet.runtime.native.graph import Graph
from motet.runtime.native.state import StateShape
from motet.runtime.native.weights import weight_of

Mutant = Callable[[pytest.MonkeyPatch, NativeRuntime], None]


def _before_compute(patch: pytest.MonkeyPatch, change: Callable[[Graph], None]) -> None:
    original = Graph.compute

    def compute(self: Graph, num_threads: int) -> None:
        change(self)
        original(self, num_threads)

    patch.setattr(Graph, "compute", compute)


def _patch_segments(
    patch: pytest.MonkeyPatch, runtime: NativeRuntime, change: Callable[[Any, int], None]
) -> None:
    """`change(table [N, 7] of the call's segments, C)` before each computation."""
    _before_compute(patch, lambda _: change(runtime._table, runtime.layout.num_channels))


CACHE, RING, SNAPSHOTS, MAX_CELLS, FIRST, NUM, PAST = range(7)


def positions_restart(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def change(graph: Graph) -> None:
        graph.positions_T -= graph.positions_T.min()

    _before_compute(patch, change)


def positions_per_cell(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    C = runtime.layout.num_channels

    def change(graph: Graph) -> None:
        graph.positions_T[:] = graph.positions_T * C + np.arange(graph.positions_T.size) % C

    _before_compute(patch, change)


def positions_of_first_session(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def change(graph: Graph) -> None:
        graph.positions_T[:] = graph.positions_T[0]

    _before_compute(patch, change)


def tokens_of_first_row(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    C = runtime.layout.num_channels

    def change(graph: Graph) -> None:
        graph.tokens_T.reshape(-1, C)[:] = graph.tokens_T[:C].copy()

    _before_compute(patch, change)


def logits_of_first_channel(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    C = runtime.layout.num_channels

    def change(graph: Graph) -> None:
        graph.wanted_N[:] = graph.wanted_N // C * C

    _before_compute(patch, change)


def past_forgotten(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    def change(table: Any, _: int) -> None:
        table[:, PAST] = 0

    _patch_segments(patch, runtime, change)


def each_row_alone(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    """Every row is called the first of its session."""

    def change(graph: Graph) -> None:
        C = runtime.layout.num_channels
        (segment, *_) = runtime._table
        rows = [[*segment[:FIRST], first, C, 0] for first in range(0, graph.tokens_T.size, C)]
        runtime._table = np.array(rows, np.int64)
        runtime._call.segments = runtime._table.ctypes.data
        runtime._call.num_segments = len(rows)

    _before_compute(patch, change)


def last_row_overwritten(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    def change(table: Any, C: int) -> None:
        table[:, PAST] = np.maximum(table[:, PAST] - C, 0)

    _patch_segments(patch, runtime, change)


def states_share_cache(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    shared: dict[int, NativeState] = {}

    def change(table: Any, C: int) -> None:
        for segment in table:
            rows = int(segment[MAX_CELLS]) // C
            state = shared.setdefault(rows, NativeState(runtime.state_shape, rows))
            segment[CACHE] = state.cache.ctypes.data

    _patch_segments(patch, runtime, change)


def states_share_ring(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    keep = runtime.open(20)

    def change(table: Any, _: int) -> None:
        table[:, RING] = keep.ring.ctypes.data

    _patch_segments(patch, runtime, change)


def ring_of_first_session(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    def change(table: Any, _: int) -> None:
        table[:, RING] = table[0, RING]

    _patch_segments(patch, runtime, change)


def row_by_row_as_channels(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    """The kernels are told of one channel: each cell becomes a row that sees its lower peers."""
    _rebuild(patch, runtime, RowsAttention={"C": 1})


def conv_over_flat_cells(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    snapshots = StateShape.snapshots  # room for as many rows as there are cells
    patch.setattr(StateShape, "snapshots", lambda self, rows: snapshots(self, rows * self.C))
    _rebuild(patch, runtime, RowsConv={"C": 1, "row_boundary": 0})


def conv_of_other_mode(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    mode = runtime.layout.conv_mode.value == "column"
    _rebuild(patch, runtime, RowsConv={"row_boundary": int(mode)})


def conv_layers_share_ring(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    _rebuild(patch, runtime, RowsConv={"layer": 0})


def attention_layers_share_cache(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    _rebuild(patch, runtime, RowsAttention={"layer": 0})


def _rebuild(patch: pytest.MonkeyPatch, runtime: NativeRuntime, **fields: dict[str, int]) -> None:
    """Graphs built anew, with other values in the kernels' structures."""
    for name, values in fields.items():
        original = getattr(rows_module, name)
        patch.setattr(
            rows_module, name, lambda original=original, values=values, **given: original(
                **{**given, **values}
            ),
        )  # fmt: skip
    runtime._graphs._graphs.clear()


def _with_weights(runtime: NativeRuntime, **weights: Any) -> Model:
    changed = {**runtime.model.weights, **{k: weight_of(v) for k, v in weights.items()}}
    return replace(runtime.model, weights=changed)


def channel_embedding_dropped(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    embedding_CD = runtime.model.weights[CHANNEL_EMBEDDING].floats()
    patch.setattr(runtime, "model", _with_weights(runtime, **{CHANNEL_EMBEDDING: 0 * embedding_CD}))
    runtime._graphs._graphs.clear()


def conv_taps_reversed(patch: pytest.MonkeyPatch, runtime: NativeRuntime) -> None:
    taps = {layer: weight_of(taps.floats()[::-1]) for layer, taps in runtime._taps.items()}
    patch.setattr(runtime, "_taps", taps)
    runtime._graphs._graphs.clear()


def _after_forward(patch: pytest.MonkeyPatch, change: Callable[[NativeState], None]) -> None:
    original = NativeRuntime.forward

    def forward(self: NativeRuntime, states: Sequence[NativeState], *rest: Any, **kw: Any) -> Any:
        result = original(self, states, *rest, **kw)
        for state in states:
            change(state)
        return result

    patch.setattr(NativeRuntime, "forward", forward)


def conv_not_carried(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def change(state: NativeState) -> None:
        state.ring[:] = 0

    _after_forward(patch, change)


def conv_past_off_by_one(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def change(state: NativeState) -> None:
        state.ring[:] = np.roll(state.ring, 1, axis=1)

    _after_forward(patch, change)


def conv_past_mixed(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def change(state: NativeState) -> None:
        state.ring[:] = np.roll(state.ring, 1, axis=2)

    _after_forward(patch, change)


def snapshots_off_by_one(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def change(state: NativeState) -> None:
        state.snapshots[:] = np.roll(state.snapshots, 1, axis=2)

    original = NativeState.restore

    def restore(self: NativeState, num_rows: int) -> None:
        change(self)
        original(self, num_rows)

    patch.setattr(NativeState, "restore", restore)


def inactive_slot_advanced(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    """The row counter of every open state moves with each forward."""
    original, opened = NativeRuntime.open, []
    forward = NativeRuntime.forward

    def open_(self: NativeRuntime, max_rows: int) -> NativeState:
        opened.append(original(self, max_rows))
        return opened[-1]

    def moved(self: NativeRuntime, states: Sequence[NativeState], *rest: Any, **kw: Any) -> Any:
        result = forward(self, states, *rest, **kw)
        for other in opened:
            if other not in states and other.num_rows:
                other.num_rows = min(other.num_rows + 1, other.max_rows)
        return result

    patch.setattr(NativeRuntime, "open", open_)
    patch.setattr(NativeRuntime, "forward", moved)


def _patch_fork(
    patch: pytest.MonkeyPatch, then: Callable[[NativeState, NativeState], None]
) -> None:
    original = NativeState.fork

    def fork(self: NativeState, max_rows: int | None = None) -> NativeState:
        child = original(self, max_rows)
        then(self, child)
        return child

    patch.setattr(NativeState, "fork", fork)


def fork_shares_cache(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def then(parent: NativeState, child: NativeState) -> None:
        child.cache = parent.cache
        child.segment = (parent.segment[0], *child.segment[1:])

    _patch_fork(patch, then)


def fork_shares_tokens(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def then(parent: NativeState, child: NativeState) -> None:
        child.tokens = parent.tokens

    _patch_fork(patch, then)


def fork_forgets_conv(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def then(_p: NativeState, child: NativeState) -> None:
        child.ring[:] = 0

    _patch_fork(patch, then)


def fork_drops_last_row(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def then(parent: NativeState, child: NativeState) -> None:
        C = child.shape.C
        child.cache[:, :, :, (parent.num_rows - 1) * C : parent.num_rows * C] = 0

    _patch_fork(patch, then)


def truncate_keeps_ring(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    """The counter goes back, whatever the ring holds."""

    def truncate(self: NativeRuntime, state: NativeState, num_rows: int) -> None:
        state.num_rows = num_rows

    patch.setattr(NativeRuntime, "truncate", truncate)
    patch.setattr(NativeState, "holds_past_of", lambda self, num_rows: True)


def truncate_to_snapshot_only(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    """The conv past of the snapshot, without reading the rows after it again."""

    def truncate(self: NativeRuntime, state: NativeState, num_rows: int) -> None:
        state.restore(num_rows)
        state.num_rows = num_rows

    patch.setattr(NativeRuntime, "truncate", truncate)
    patch.setattr(NativeState, "holds_past_of", lambda self, num_rows: True)


def ring_is_never_overwritten(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    """Nobody notes which rows the ring has lost."""
    patch.setattr(NativeState, "reserve", lambda self, num_rows: None)


def truncate_one_row_short(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    original = NativeRuntime.truncate

    def truncate(self: NativeRuntime, state: NativeState, num_rows: int) -> None:
        original(self, state, max(num_rows - 1, 0))

    patch.setattr(NativeRuntime, "truncate", truncate)


def _patch_save(patch: pytest.MonkeyPatch, forget: Callable[[NativeState], None]) -> None:
    original = reading_module.save_state

    def save(state: NativeState, path: Path, *rest: Any) -> None:
        written = state.fork()
        forget(written)
        original(written, path, *rest)

    patch.setattr(reading_module, "save_state", save)


def save_forgets_conv(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def forget(state: NativeState) -> None:
        state.ring[:] = 0

    _patch_save(patch, forget)


def save_forgets_keys(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def forget(state: NativeState) -> None:
        state.cache[:, 0, :, 0] = 0

    _patch_save(patch, forget)


def save_drops_last_row(patch: pytest.MonkeyPatch, _: NativeRuntime) -> None:
    def forget(state: NativeState) -> None:
        state.num_rows -= 1

    _patch_save(patch, forget)
