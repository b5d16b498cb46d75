"""Ways to break the runtime on a device, each of which some law must notice.

A mutant patches what the host tells a graph, and what states do, for the length of one test.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.formats.names import CHANNEL_EMBEDDING
from motet.runtime.device import DeviceRuntime, DeviceState, places
from motet.runtime.native import reading
from motet.streams import ConvMode

Mutant = Callable[[pytest.MonkeyPatch, DeviceRuntime], None]


def _place(name: str, change: Callable[..., Any]) -> Mutant:
    """`change(what the function of `places` returned, its arguments)` in place of it."""

    def mutant(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
        original = getattr(places, name)
        patch.setattr(places, name, lambda *given: change(original(*given), *given))

    mutant.__name__ = change.__name__.lstrip("_")
    return mutant


def _mask(may_attend: Callable[[Any, Any, int, int], Any]) -> Mutant:
    """Another mask, by the numbers of the cell, of the cached cell, C and the first new row."""

    def mutant(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
        def mask(piece: Any) -> Any:
            cells, cached = places.cached_cells(piece), np.arange(places.span(piece))
            C, start = piece.state.shape.C, piece.state.num_rows
            open_ = may_attend(cells[:, None], cached, C, start) | (cells[:, None] == cached)
            return np.where(open_, np.float16(0), np.float16(-np.inf))

        patch.setattr(places, "mask", mask)

    mutant.__name__ = may_attend.__name__.lstrip("_")
    return mutant


def _positions_restart(numbers: Any, _run: Any) -> Any:
    return numbers - numbers.min()


def _positions_of_first_session(numbers: Any, _run: Any) -> Any:
    return np.full_like(numbers, numbers[0])


def _logits_of_first_channel(cells: Any, _run: Any, _columns: Any, C: int) -> Any:
    return cells // C * C


def _conv_not_carried(slots: Any, piece: Any) -> Any:
    return np.full_like(slots, piece.state.slots.zero)


def _conv_past_off_by_one(slots: Any, piece: Any) -> Any:
    return np.roll(slots, piece.state.shape.C)


def _conv_past_mixed(slots: Any, piece: Any) -> Any:
    return np.roll(slots.reshape(-1, piece.state.shape.C), 1, axis=1).reshape(-1)


def _conv_taps_reversed(taps: Any, _run: Any, _mode: Any) -> Any:
    return taps[::-1]


def _past_of_first_session(taps: Any, run: Any, _mode: Any) -> Any:
    num_past = len(places.past_slots(run[0]))
    return np.where(taps < len(run) * num_past, taps % num_past, taps)


def _last_row_overwritten(cells: Any, piece: Any) -> Any:
    return np.maximum(cells - piece.state.shape.C, 0)


def _peers_visible(cell: Any, cached: Any, C: int, _start: int) -> Any:
    return cached // C <= cell // C


def _lower_peers_visible(cell: Any, cached: Any, _C: int, _start: int) -> Any:
    return cached < cell


def _past_forgotten(cell: Any, cached: Any, C: int, start: int) -> Any:
    return (cached // C < cell // C) & (cached // C >= start)


def _each_cell_alone(cell: Any, cached: Any, _C: int, _start: int) -> Any:
    return cached == cell


positions_restart = _place("row_numbers", _positions_restart)
positions_of_first_session = _place("row_numbers", _positions_of_first_session)
logits_of_first_channel = _place("wanted_cells", _logits_of_first_channel)
conv_not_carried = _place("past_slots", _conv_not_carried)
conv_past_off_by_one = _place("past_slots", _conv_past_off_by_one)
conv_past_mixed = _place("past_slots", _conv_past_mixed)
conv_taps_reversed = _place("taps", _conv_taps_reversed)
past_of_first_session = _place("taps", _past_of_first_session)
last_row_overwritten = _place("cached_cells", _last_row_overwritten)
peers_visible = _mask(_peers_visible)
lower_peers_visible = _mask(_lower_peers_visible)
past_forgotten = _mask(_past_forgotten)
each_cell_alone = _mask(_each_cell_alone)


def conv_of_other_mode(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    original, modes = places.taps, list(ConvMode)
    patch.setattr(places, "taps", lambda run, mode: original(run, modes[1 - modes.index(mode)]))


def channel_embedding_dropped(_: pytest.MonkeyPatch, runtime: DeviceRuntime) -> None:
    shape = runtime.model.weights[CHANNEL_EMBEDDING].shape
    runtime._weights.write(CHANNEL_EMBEDDING, np.zeros(shape, np.float32))


def states_share_memory(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    original, shared = DeviceState.__post_init__, {}

    def post_init(self: DeviceState) -> None:
        original(self)
        self.memory = shared.setdefault(self.max_rows, self.memory)

    patch.setattr(DeviceState, "__post_init__", post_init)


def _patch_fork(
    patch: pytest.MonkeyPatch, then: Callable[[DeviceState, DeviceState], None]
) -> None:
    original = DeviceState.fork

    def fork(self: DeviceState, max_rows: int | None = None) -> DeviceState:
        child = original(self, max_rows)
        then(self, child)
        return child

    patch.setattr(DeviceState, "fork", fork)


def fork_shares_memory(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    def then(parent: DeviceState, child: DeviceState) -> None:
        if child.max_rows == parent.max_rows:
            child.memory = parent.memory

    _patch_fork(patch, then)


def fork_shares_tokens(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    def then(parent: DeviceState, child: DeviceState) -> None:
        child.tokens = parent.tokens

    _patch_fork(patch, then)


def _patch_put(patch: pytest.MonkeyPatch, change: Callable[[list[Any]], None]) -> None:
    original = DeviceState.put

    def put(self: DeviceState, parts: Any) -> None:
        change(parts)
        original(self, parts)

    patch.setattr(DeviceState, "put", put)


def conv_is_not_copied(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    _patch_put(patch, lambda parts: parts[2].fill(0))


def keys_and_values_swapped(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    def change(parts: list[Any]) -> None:
        parts[1][:] = parts[1][:, ::-1].copy()

    _patch_put(patch, change)


def truncate_keeps_ring(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    patch.setattr(DeviceState, "holds_past_of", lambda self, num_rows: True)


def snapshot_is_not_put_back(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    patch.setattr(DeviceState, "put_back", lambda self, snapshot: None)


def save_drops_last_row(patch: pytest.MonkeyPatch, _: DeviceRuntime) -> None:
    original = reading.save_state

    def save(state: DeviceState, path: Path, *rest: Any) -> None:
        written = state.fork()
        written.num_rows -= 1
        original(written, path, *rest)

    patch.setattr(reading, "save_state", save)
