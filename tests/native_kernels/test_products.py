"""Products of interleaved weights: right, and the same bits however they are computed."""

from __future__ import annotations

import numpy as np
import pytest

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import kernels
from tests.native_kernels import reference
from tests.native_kernels.calls import blocks_of, product, same_bits
from tests.native_kernels.reference import (
    Q4,
    as_taken,
    dequantised,
    random_blocks,
    rounded,
)

LEVELS = pytest.mark.parametrize("level", kernels.levels(), ids=lambda level: level.name)
KINDS = pytest.mark.parametrize("kind", reference.KINDS, ids=lambda kind: kind.name)


@LEVELS
@pytest.mark.parametrize(
    ("num_cells", "depth", "span"),
    [(1, 32, 1), (3, 96, 1), (5, 2048, 1), (2, 4160, 1), (1, 256, 8), (3, 4352, 8)],
)
def test_activations_are_rounded_as_the_reference_does(
    level: kernels.Level, num_cells: int, depth: int, span: int
) -> None:
    x = np.random.default_rng(depth).standard_normal((num_cells, depth)).astype(np.float32)
    x *= 10.0 ** np.random.default_rng(1).integers(-6, 6, x.shape).astype(np.float32)
    x[:, :32] = 0
    x[0, -32:] = 1e-35  # too small for its inverse to be a number that 8 bits need
    for num_threads in (1, 3):
        blocks = blocks_of(x, level, num_threads, depth + 5, span).reshape(num_cells, -1, 52)
        values, scale = rounded(x, span)
        assert (blocks[..., 20:].view(np.int8) == values).all()
        assert same_bits(blocks[..., :4].copy().view(np.float32)[..., 0], scale)
        offset = blocks[..., 4:20].copy().view(np.int32)
        halves = values.reshape(*values.shape[:2], 2, 16).sum(axis=3, dtype=np.int32)
        assert (offset[..., 0] == -8 * halves.sum(axis=2)).all()
        assert (offset[..., 1] == -128 * halves.sum(axis=2)).all()
        assert (offset[..., 2:] == -32 * halves).all()


@LEVELS
def test_what_is_no_number_stays_no_number(level: kernels.Level) -> None:
    x = np.ones((2, 64), np.float32)
    x[1, 40] = np.nan
    tiles = kernels.interleave(Q4, (16, 64), random_blocks(np.random.default_rng(0), Q4, (16, 64)))
    out = product(Q4, tiles, 16, x, level)
    assert np.isfinite(out[0]).all()
    assert np.isnan(out[1]).all()


@LEVELS
@KINDS
@pytest.mark.parametrize("size", [(16, 1), (48, 3), (80, 8)], ids=str)
@pytest.mark.parametrize("num_cells", [1, 2, 3, 4, 5, 6, 7, 8, 9, 21, 70])
def test_products_equal_the_reference(
    level: kernels.Level, kind: GGMLType, size: tuple[int, int], num_cells: int
) -> None:
    shape = (size[0], size[1] * max(32, kind.block_size))
    rng = np.random.default_rng(num_cells)
    blocks = random_blocks(rng, kind, shape)
    x = rng.standard_normal((num_cells, shape[1])).astype(np.float32)
    out = product(kind, kernels.interleave(kind, shape, blocks), shape[0], x, level)
    weights = dequantised(kind, shape, blocks)
    # float32 sums of K/32 terms (K for floats): each is off by at most its size times 2^-23 a
    # step; a K-quant is a difference of numbers that may be larger than it
    size_of_weights = np.abs(weights) + np.abs(weights).max()
    steps = shape[1] if kernels.takes_floats(kind) else shape[1] / 32 + 4
    bound = np.abs(as_taken(kind, x)) @ size_of_weights.T * 2.0**-23 * steps
    assert (np.abs(out - as_taken(kind, x) @ weights.T) <= bound + 1e-30).all()


@KINDS
def test_the_largest_values_do_not_overflow(kind: GGMLType) -> None:
    shape = (16, max(32, kind.block_size))
    for fill in (0x00, 0xFF, 0x80, 0x7F):  # all weights at an end of their range
        blocks = reference.filled_blocks(kind, shape, fill)
        tiles = kernels.interleave(kind, shape, blocks)
        x = np.tile(np.array([127, -127], np.float32), (4, shape[1] // 2))
        x[1], x[2] = 127, -127
        for level in kernels.levels():
            out = product(kind, tiles, 16, x, level)
            assert (out == x @ dequantised(kind, shape, blocks).T).all(), level.name


@KINDS
def test_bits_depend_on_neither_level_nor_threads_nor_company_nor_strides(kind: GGMLType) -> None:
    rng = np.random.default_rng(5)
    N, K, T = 112, 512 + max(32, kind.block_size), 70
    tiles = kernels.interleave(kind, (N, K), random_blocks(rng, kind, (N, K)))
    x = rng.standard_normal((T, K)).astype(np.float32)
    residual = rng.standard_normal((T, N)).astype(np.float32)
    want = product(kind, tiles, N, x, kernels.levels()[-1])
    for level in kernels.levels():
        for num_threads in (1, 3):
            assert same_bits(product(kind, tiles, N, x, level, num_threads), want), level.name
        alone = [product(kind, tiles, N, x[t : t + 1], level) for t in range(0, T, 23)]
        assert same_bits(np.concatenate(alone), want[::23])
        apart = product(kind, tiles, N, x, level, 2, out_stride=N + 3)
        assert same_bits(np.ascontiguousarray(apart), want)
        added = product(kind, tiles, N, x, level, 2, residual=residual)
        assert same_bits(added, want + residual)


def test_many_cells_of_a_deep_matrix_go_in_parts() -> None:
    rng = np.random.default_rng(8)
    N, K, T = 32, 7168, 133
    tiles = kernels.interleave(Q4, (N, K), random_blocks(rng, Q4, (N, K)))
    x = rng.standard_normal((T, K)).astype(np.float32)
    level = kernels.best_level()
    want = np.concatenate([product(Q4, tiles, N, x[t : t + 1], level) for t in range(T)])
    assert same_bits(product(Q4, tiles, N, x, level, 3), want)
