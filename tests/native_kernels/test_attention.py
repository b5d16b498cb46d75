"""Row attention: right for every cache type and shape, and no row feels how it was called."""

from __future__ import annotations

import ctypes

import numpy as np
import pytest

from motet.runtime.native import kernels
from motet.runtime.native.operations import Call, KVType, RowsAttention
from tests.native_kernels import reference
from tests.native_kernels.calls import run, same_bits
from tests.native_kernels.reference import Bytes, Doubles, Floats

LEVELS = pytest.mark.parametrize("level", kernels.levels(), ids=lambda level: level.name)
TYPES = pytest.mark.parametrize("kv_type", KVType, ids=lambda kv_type: kv_type.name)
LAYERS, LAYER = 2, 1


class Sessions:
    """Random queries, keys and values of some sessions, and their caches."""

    def __init__(
        self, kv_type: KVType, C: int, H: int, G: int, K: int, num_rows: tuple[int, ...]
    ) -> None:
        rng = np.random.default_rng(K + C)
        self.kv_type, self.C, self.H, self.G, self.K = kv_type, C, H, G, K
        self.max_cells = max(num_rows) * C + 3
        self.q = [rng.standard_normal((R, C, H, K)).astype(np.float32) for R in num_rows]
        self.k = [rng.standard_normal((R, C, G, K)).astype(np.float32) for R in num_rows]
        self.v = [rng.standard_normal((R, C, G, K)).astype(np.float32) for R in num_rows]
        plane = self.max_cells * kv_type.row_bytes(K)
        self.caches = [np.full(LAYERS * 2 * G * plane, 0xFF, np.uint8) for _ in num_rows]

    def __call__(
        self, rows: list[slice], level: kernels.Level | None = None, num_threads: int = 1
    ) -> list[Floats]:
        """One call over the given rows of each session; its results by session."""
        segments = np.zeros((len(rows), 7), np.int64)
        first_cell = 0
        for i, span in enumerate(rows):
            num_cells = (span.stop - span.start) * self.C
            segments[i] = (self.caches[i].ctypes.data, 0, 0, self.max_cells, first_cell,
                           num_cells, span.start * self.C)  # fmt: skip
            first_cell += num_cells
        q, k, v = (
            np.concatenate([x[i][span].reshape(-1, x[i].shape[2] * self.K)
                            for i, span in enumerate(rows)])
            for x in (self.q, self.k, self.v)
        )  # fmt: skip
        out = np.full_like(q, np.nan)
        call = Call(segments.ctypes.data, len(rows))
        structure = RowsAttention(
            call=ctypes.addressof(call), q=q.ctypes.data, k=k.ctypes.data, v=v.ctypes.data,
            out=out.ctypes.data, H=self.H, G=self.G, K=self.K, C=self.C, layer=LAYER,
            kv_type=self.kv_type, scale=self.K**-0.5,
            level=None if level is None else level.address,
        )  # fmt: skip
        run("motet_rows_store", structure, num_threads)
        run("motet_rows_attend", structure, num_threads)
        cells = [(span.stop - span.start) * self.C for span in rows]
        parts = np.split(out.reshape(-1, self.H, self.K), np.cumsum(cells)[:-1])
        return [part.reshape(-1, self.C, self.H, self.K) for part in parts]

    def cached(self, i: int, which: int, num_rows: int) -> Doubles:
        """Keys (0) or values (1) of a session as its cache has them, [R, C, G, K]."""
        num_cells = num_rows * self.C
        planes = self.caches[i].reshape(LAYERS, 2, self.G, self.max_cells, -1)
        used: Bytes = np.ascontiguousarray(planes[LAYER, which, :, :num_cells])
        if self.kv_type is KVType.Q8_0:
            blocks = used.reshape(-1, 34)
            scale = blocks[:, :2].copy().view(np.float16).astype(np.float64)
            numbers = blocks[:, 2:].view(np.int8) * scale
        else:
            dtype = np.float32 if self.kv_type is KVType.F32 else np.float16
            numbers = used.view(dtype).astype(np.float64)
        by_head = numbers.reshape(self.G, num_rows, self.C, self.K)
        return by_head.transpose(1, 2, 0, 3)


SHAPES = [  # C, H, G, K
    (4, 8, 2, 64),
    (1, 4, 4, 32),
    (3, 6, 1, 96),
    (7, 12, 2, 32),
    (2, 2, 1, 128),
]


@LEVELS
@TYPES
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_rows_equal_the_reference(
    level: kernels.Level, kv_type: KVType, shape: tuple[int, int, int, int]
) -> None:
    C, H, G, K = shape
    R = 70 // C
    sessions = Sessions(kv_type, C, H, G, K, (R,))
    (got,) = sessions([slice(0, R)], level)
    keys, values = (sessions.cached(0, which, R) for which in (0, 1))
    loss = {KVType.F32: 0, KVType.F16: 2e-3, KVType.Q8_0: 2e-2}[kv_type]
    assert np.abs(keys - sessions.k[0]).max() <= loss
    assert np.abs(values - sessions.v[0]).max() <= loss
    want = reference.attention(sessions.q[0], keys, values, 0, K**-0.5)
    assert np.abs(got - want).max() <= 2e-6 * np.abs(values).max()


@LEVELS
@pytest.mark.parametrize("K", [8, 20, 48, 256])
def test_odd_widths(level: kernels.Level, K: int) -> None:
    for kv_type in (KVType.F32, KVType.F16):
        sessions = Sessions(kv_type, 2, 4, 2, K, (9,))
        (got,) = sessions([slice(0, 9)], level)
        keys, values = (sessions.cached(0, which, 9) for which in (0, 1))
        want = reference.attention(sessions.q[0], keys, values, 0, K**-0.5)
        assert np.abs(got - want).max() <= 2e-6 * np.abs(values).max()


@TYPES
def test_bits_depend_on_neither_level_nor_threads_nor_chunks_nor_company(kv_type: KVType) -> None:
    C, H, G, K, R = 3, 8, 2, 64, 24
    sessions = Sessions(kv_type, C, H, G, K, (R, 5))
    want, _ = sessions([slice(0, R), slice(0, 5)], kernels.levels()[-1])
    for level in (*kernels.levels(), None):
        for num_threads, chunk in ((1, 1), (1, R), (2, 7), (3, R)):
            parts = [
                sessions([slice(r, min(r + chunk, R)), slice(r % 5, 5)], level, num_threads)[0]
                for r in range(0, R, chunk)
            ]
            assert same_bits(np.concatenate(parts), want)


@LEVELS
def test_large_scores_do_not_overflow(level: kernels.Level) -> None:
    sessions = Sessions(KVType.F32, 2, 4, 2, 32, (40,))
    sessions.q[0] *= 300
    (got,) = sessions([slice(0, 40)], level)
    keys, values = (sessions.cached(0, which, 40) for which in (0, 1))
    want = reference.attention(sessions.q[0], keys, values, 0, 32**-0.5)
    # scores of a few thousand are off by a few units of 2^-12, and weights by as much
    assert np.abs(got - want).max() <= 5e-3


@LEVELS
def test_what_is_no_number_reaches_those_who_see_it_and_nobody_else(level: kernels.Level) -> None:
    sessions = Sessions(KVType.F16, 2, 4, 2, 32, (8,))
    sessions.k[0][3, 1, 0, 5] = np.nan
    (got,) = sessions([slice(0, 8)], level)
    seen = np.isnan(got).all(axis=3)  # [R, C, H]; heads 0 and 1 share key/value head 0
    want = np.zeros_like(seen)
    want[4:, :, :2] = True
    want[3, 1, :2] = True
    assert (seen == want).all()
    assert np.isfinite(got[~want]).all()
