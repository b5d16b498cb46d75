"""The row convolution by itself, against the formulas: widths, modes, threads, and its memory."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
import pytest

from motet.runtime.native import extension
from motet.runtime.native.operations import RING_ROWS, Call, RowsConv
from tests.laws.tolerance import assert_same

Array = np.ndarray[Any, np.dtype[Any]]
NUM_LAYERS, LAYER = 2, 1


class Session:
    """One session's memory and its whole past, u [R, C, D]."""

    def __init__(self, past: int, new: int, C: int, D: int, W: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.past, self.new = past, new
        self.bcx = random.normal(size=(past + new, C, 3, D)).astype(np.float32)
        self.u = self.bcx[:, :, 0] * self.bcx[:, :, 2]
        self.ring = np.full((NUM_LAYERS, RING_ROWS, C, D), np.nan, np.float32)
        slots = -(-(past + new) // RING_ROWS)
        self.snapshots = np.full((slots, NUM_LAYERS, W - 1, C, D), np.nan, np.float32)
        for row in range(max(0, past - RING_ROWS), past):
            self.ring[LAYER, row % RING_ROWS] = self.u[row]

    def expected(self, taps_WD: Array, boundary: bool) -> Array:
        """C * conv(u) of the new rows, cell by cell."""
        _, C, D = self.u.shape
        W = len(taps_WD)
        flat = self.u.reshape(-1, D)
        out = np.empty((self.new, C, D))
        for row in range(self.past, self.past + self.new):
            for c in range(C):
                v = taps_WD[W - 1] * self.u[row, c]
                for back in range(1, W):
                    place = row * C - back if boundary else (row - back) * C + c
                    if place >= 0:
                        v = v + taps_WD[W - 1 - back] * flat[place]
                out[row - self.past, c] = self.bcx[row, c, 1] * v
        return out


def run(sessions: list[Session], taps_WD: Array, boundary: bool, num_threads: int) -> list[Array]:
    """All new rows in one call, each thread after the other."""
    W, D = taps_WD.shape
    C = sessions[0].u.shape[1]
    bcx = np.concatenate([s.bcx[s.past :].reshape(-1, 3, D) for s in sessions])
    out = np.full((len(bcx), D), np.nan, np.float32)
    segments, first = [], 0
    for s in sessions:
        addresses = (0, s.ring.ctypes.data, s.snapshots.ctypes.data)
        segments.append((*addresses, 0, first, s.new * C, s.past * C))
        first += s.new * C
    table = np.array(segments, np.int64)
    call = Call(table.ctypes.data, len(sessions))
    conv = RowsConv(
        call=ctypes.addressof(call), bcx=bcx.ctypes.data, taps=taps_WD.ctypes.data,
        out=out.ctypes.data, D=D, W=W, C=C, layer=LAYER, num_layers=NUM_LAYERS,
        row_boundary=boundary,
    )  # fmt: skip
    for ith in range(num_threads):
        extension.library().motet_rows_conv(None, ith, num_threads, ctypes.byref(conv))
    return np.split(out.reshape(-1, C, D), np.cumsum([s.new for s in sessions])[:-1])


@pytest.mark.parametrize("boundary", [False, True], ids=["column", "row_boundary"])
@pytest.mark.parametrize(
    ("C", "D", "W", "num_threads"),
    [(1, 7, 3, 1), (4, 16, 3, 2), (2, 33, 4, 5), (5, 3, 2, 7), (3, 1, 3, 4), (1, 40, 8, 3)],
)
def test_equals_the_formulas(boundary: bool, C: int, D: int, W: int, num_threads: int) -> None:
    taps = np.random.default_rng(9).normal(size=(W, D)).astype(np.float32)
    lengths = ((0, 1), (1, 2), (63, 2), (64, 1), (5, 70), (130, 3), (0, 140))
    sessions = [Session(p, n, C, D, W, seed) for seed, (p, n) in enumerate(lengths)]
    for session, got in zip(sessions, run(sessions, taps, boundary, num_threads), strict=True):
        assert_same(got, session.expected(taps, boundary), f"{session.past} + {session.new}")


@pytest.mark.parametrize("num_threads", [1, 3])
def test_what_is_remembered(num_threads: int) -> None:
    C, D, W = 3, 10, 3
    taps = np.ones((W, D), np.float32)
    for past, new in ((0, 1), (60, 10), (0, 200), (63, 1)):
        session = Session(past, new, C, D, W, seed=past)
        run([session], taps, False, num_threads)
        end = past + new
        for row in range(max(0, end - RING_ROWS), end):
            assert np.array_equal(session.ring[LAYER, row % RING_ROWS], session.u[row]), row
        for row in range(past, end):
            place = row % RING_ROWS - (RING_ROWS - (W - 1))
            if place >= 0:
                kept = session.snapshots[row // RING_ROWS, LAYER, place]
                assert np.array_equal(kept, session.u[row]), row
        assert np.isnan(session.ring[0]).all(), "another layer's ring"
        assert np.isnan(session.snapshots[:, 0]).all(), "another layer's snapshots"
