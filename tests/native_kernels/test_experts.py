"""The fused feed-forward: right for any routing, and no cell feels another."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from motet.formats.ggml_types import GGMLType
from motet.runtime.native import kernels
from tests.native_kernels import reference
from tests.native_kernels.calls import feed_forward, same_bits
from tests.native_kernels.reference import Q4, Q8, Bytes, Doubles, Floats

LEVELS = pytest.mark.parametrize("level", kernels.levels(), ids=lambda level: level.name)
KINDS = pytest.mark.parametrize("kind", reference.KINDS, ids=lambda kind: kind.name)


class Layer:
    """Random experts: their tiles, and their numbers."""

    def __init__(self, kind: GGMLType, E: int, F: int, D: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.kind, self.sizes = kind, (E, F, D)
        self.tiles: list[Bytes] = []
        self.numbers: list[Doubles] = []
        for shape in ((E, F, D), (E, F, D), (E, D, F)):
            blocks = reference.random_blocks(rng, kind, shape)
            self.tiles.append(kernels.interleave(kind, shape if E > 1 else shape[1:], blocks))
            self.numbers.append(reference.dequantised(kind, shape, blocks))

    def __call__(
        self, x_TD: Floats, chosen_TA: NDArray[np.int32] | None, shares_TA: Floats | None,
        level: kernels.Level, num_threads: int = 1, residual: Floats | None = None,
    ) -> Floats:  # fmt: skip
        gate, up, down = self.tiles
        return feed_forward(
            self.kind, self.sizes, (gate, up, down), x_TD, chosen_TA, shares_TA, level,
            num_threads, residual,
        )  # fmt: skip


def choices(rng: np.random.Generator, T: int, E: int, A: int) -> NDArray[np.int32]:
    """A different experts for each cell, in no order."""
    return np.stack([rng.permutation(E)[:A] for _ in range(T)]).astype(np.int32)


def inputs(T: int, E: int, D: int, A: int) -> tuple[Floats, NDArray[np.int32], Floats]:
    rng = np.random.default_rng(T)
    x = rng.standard_normal((T, D)).astype(np.float32)
    return x, choices(rng, T, E, A), rng.uniform(0, 1, (T, A)).astype(np.float32)


@LEVELS
@KINDS
@pytest.mark.parametrize(
    ("T", "sizes", "A"), [(1, (2, 1, 1), 1), (4, (6, 1, 2), 2), (70, (3, 2, 1), 3)], ids=str
)
def test_experts_equal_the_reference(
    level: kernels.Level, kind: GGMLType, T: int, sizes: tuple[int, int, int], A: int
) -> None:
    unit = max(32, kind.block_size)
    E, F, D = sizes[0], sizes[1] * unit, sizes[2] * unit
    layer = Layer(kind, E, F, D)
    x, chosen, shares = inputs(T, E, D, A)
    out = layer(x, chosen, shares, level)
    want = reference.experts(kind, *layer.numbers, x, chosen, shares)
    # a hidden value that lies between two steps of its 8 bits may be rounded to either
    assert np.abs(out - want).max() <= 0.01 * np.abs(want).max()
    assert np.median(np.abs(out - want)) <= 1e-5 * np.abs(want).max()


@KINDS
def test_bits_depend_on_neither_level_nor_threads_nor_company(kind: GGMLType) -> None:
    E, A, T = 7, 4, 37
    F, D = max(96, kind.block_size), max(128, kind.block_size)
    layer = Layer(kind, E, F, D)
    x, chosen, shares = inputs(T, E, D, A)
    residual = np.random.default_rng(3).standard_normal((T, D)).astype(np.float32)
    want = layer(x, chosen, shares, kernels.levels()[-1], residual=residual)
    for level in kernels.levels():
        for num_threads in (1, 3):
            got = layer(x, chosen, shares, level, num_threads, residual)
            assert same_bits(got, want), (level.name, num_threads)
        for t in (0, 17, 36):
            cell = slice(t, t + 1)
            alone = layer(x[cell], chosen[cell], shares[cell], level, 2, residual[cell])
            assert same_bits(alone, want[cell]), level.name


def test_the_order_of_a_cells_choices_does_not_matter() -> None:
    E, F, D, A, T = 6, 32, 64, 3, 5
    layer = Layer(Q4, E, F, D)
    x, chosen, shares = inputs(T, E, D, A)
    turned = np.ascontiguousarray(chosen[:, ::-1]), np.ascontiguousarray(shares[:, ::-1])
    level = kernels.best_level()
    assert same_bits(layer(x, *turned, level), layer(x, chosen, shares, level))


def test_choices_and_shares_may_lie_apart() -> None:
    E, F, D, A, T = 6, 32, 64, 2, 5
    layer = Layer(Q8, E, F, D)
    x, chosen, shares = inputs(T, E, D, A)
    wide_chosen = np.full((T, E), 10**9, np.int32)
    wide_shares = np.full((T, 5), np.nan, np.float32)
    wide_chosen[:, :A], wide_shares[:, :A] = chosen, shares
    level = kernels.best_level()
    apart = layer(x, wide_chosen[:, :A], wide_shares[:, :A], level, 2)
    assert same_bits(apart, layer(x, chosen, shares, level))


@pytest.mark.parametrize(("T", "E", "A"), [(257, 4, 2), (600, 4, 2), (70, 256, 200)])
def test_many_cells_go_in_chunks(T: int, E: int, A: int) -> None:
    F, D = 32, 32
    layer = Layer(Q4, E, F, D)
    x, chosen, shares = inputs(T, E, D, A)
    chosen[300:] = np.arange(A) + 1  # some experts have no cell in a chunk
    level = kernels.best_level()
    parts = [layer(x[i : i + 50], chosen[i : i + 50], shares[i : i + 50], level)
             for i in range(0, T, 50)]  # fmt: skip
    assert same_bits(layer(x, chosen, shares, level, 3), np.concatenate(parts))


@LEVELS
@KINDS
def test_a_dense_feed_forward_is_one_expert_that_all_choose(
    level: kernels.Level, kind: GGMLType
) -> None:
    F, D, T = max(224, kind.block_size), max(96, kind.block_size), 70
    layer = Layer(kind, 1, F, D)
    x = np.random.default_rng(2).standard_normal((T, D)).astype(np.float32)
    ones = np.ones((T, 1), np.float32)
    dense = layer(x, None, None, level, 2)
    assert same_bits(dense, layer(x, np.zeros((T, 1), np.int32), ones, level))
    want = reference.experts(kind, *layer.numbers, x, np.zeros((T, 1), np.int32), ones)
    assert np.median(np.abs(dense - want)) <= 1e-5 * np.abs(want).max()
