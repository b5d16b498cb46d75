"""Where the cells of one forward and their pasts are: what a graph's inputs say, made on the host.

The convolution reads from one list of conv inputs: the W - 1 rows before the first row of each
session, session by session, and then those of all cells of the forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from motet.runtime.device.state import DeviceState
from motet.runtime.native.operations import RING_ROWS
from motet.runtime.native.reading import row_numbers, wanted_cells
from motet.runtime.native.runs import Piece
from motet.streams.layout import ConvMode

SPAN_STEP = 256

Run: TypeAlias = Sequence[Piece[DeviceState]]
Indices: TypeAlias = NDArray[np.int64]
Name: TypeAlias = str | tuple[str, int]
Arrays: TypeAlias = dict[Name, NDArray[Any]]
_HIDDEN = np.float16(-np.inf)


def inputs_of(run: Run, columns: Indices, mode: ConvMode) -> Arrays:
    """All integers and masks that a forward is given, by name; those of sessions by their place."""
    shape = run[0].state.shape
    arrays: Arrays = {}
    wanted_N = wanted_cells(run, columns, shape.C)
    if len(wanted_N):
        arrays["wanted"] = wanted_N.astype(np.int32)
    if shape.num_attention:
        arrays["positions"] = np.repeat(row_numbers(run), shape.C).astype(np.int32)
        for place, piece in enumerate(run):
            arrays["cells", place] = cached_cells(piece)
            arrays["mask", place] = mask(piece)
    if shape.num_conv:
        for tap, sources_T in enumerate(taps(run, mode)):
            arrays["tap", tap] = sources_T.astype(np.int32)
        for place, piece in enumerate(run):
            arrays["past", place] = past_slots(piece).astype(np.int32)
            sources, arrays["slots", place] = kept(run, place)
            arrays["sources", place] = sources.astype(np.int32)
    return arrays


def span(piece: Piece[DeviceState]) -> int:
    """Cached cells that attention goes over, in steps, so that a graph serves many rows."""
    C = piece.state.shape.C
    num_cells = (piece.state.num_rows + piece.num_rows) * C
    return min(piece.state.max_rows * C, -(-num_cells // SPAN_STEP) * SPAN_STEP)


def cached_cells(piece: Piece[DeviceState]) -> Indices:
    """Where keys and values of the cells go in the cache."""
    C = piece.state.shape.C
    return piece.state.num_rows * C + np.arange(piece.num_rows * C)


def mask(piece: Piece[DeviceState]) -> NDArray[np.float16]:
    """What is added to scores [cells, span]: 0 for all cells of earlier rows and itself."""
    C = piece.state.shape.C
    cells_T, cached_S = cached_cells(piece), np.arange(span(piece))
    may_attend = cached_S // C < (cells_T // C)[:, None]
    may_attend[np.arange(len(cells_T)), cells_T] = True
    return np.where(may_attend, np.float16(0), _HIDDEN)


def past_slots(piece: Piece[DeviceState]) -> Indices:
    """Slots of the conv inputs of the W - 1 rows before the first one, [(W - 1) * C]."""
    shape, start = piece.state.shape, piece.state.num_rows
    rows = np.arange(start - (shape.W - 1), start)[:, None]
    slots = rows % RING_ROWS * shape.C + np.arange(shape.C)
    return np.where(rows < 0, piece.state.slots.zero, slots).reshape(-1)


def taps(run: Run, mode: ConvMode) -> Indices:
    """Where in the list the earlier inputs of each cell are, earliest first, [W - 1, cells]."""
    shape = run[0].state.shape
    back_W = np.arange(shape.W - 1, 0, -1)[:, None]
    found = []
    for place, piece in enumerate(run):
        cells_T = np.arange(piece.num_rows * shape.C)
        if mode is ConvMode.COLUMN:
            relative_WT = cells_T - back_W * shape.C
        else:
            relative_WT = cells_T // shape.C * shape.C - back_W
        found.append(_in_list(run, place, relative_WT))
    return np.concatenate(found, axis=1)


def kept(run: Run, place: int) -> tuple[Indices, Indices]:
    """What the history of one session keeps of its new rows: the last 64, and for snapshots.

    Returns where in the list the inputs are, and their slots.
    """
    piece = run[place]
    shape, slots = piece.state.shape, piece.state.slots
    start, end = piece.state.num_rows, piece.state.num_rows + piece.num_rows
    in_ring = np.arange(max(start, end - RING_ROWS), end)
    rows, targets = [in_ring], [in_ring % RING_ROWS * shape.C]
    for number in range(start // RING_ROWS, end // RING_ROWS):
        before = np.arange(1 - shape.W, 0)
        rows.append((number + 1) * RING_ROWS + before)
        targets.append(slots.snapshot(number) + (before + shape.W - 1) * shape.C)
    channels = np.arange(shape.C)
    relative = (np.concatenate(rows) - start)[:, None] * shape.C + channels
    target = np.concatenate(targets)[:, None] + channels
    return _in_list(run, place, relative.reshape(-1)), target.reshape(-1)


def _in_list(run: Run, place: int, relative: Indices) -> Indices:
    """Places in the list by the cell, counted from the first one of the session `place`."""
    shape = run[place].state.shape
    num_past = (shape.W - 1) * shape.C
    first = sum(piece.num_rows for piece in run[:place]) * shape.C
    return np.where(
        relative < 0, (place + 1) * num_past + relative, len(run) * num_past + first + relative
    )
