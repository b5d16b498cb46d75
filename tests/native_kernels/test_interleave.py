"""Tiles: the same numbers in another order, and which weights have one."""

from __future__ import annotations

import numpy as np
import pytest

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType
from motet.runtime.native import kernels
from tests.native_kernels import reference
from tests.native_kernels.reference import Q4, Q8, dequantised, random_blocks

KINDS = pytest.mark.parametrize("kind", reference.KINDS, ids=lambda kind: kind.name)


@KINDS
@pytest.mark.parametrize("size", [(16, 1), (48, 5), (3, 32, 2)], ids=str)
def test_there_and_back(kind: GGMLType, size: tuple[int, ...]) -> None:
    shape = (*size[:-1], size[-1] * max(32, kind.block_size))
    blocks = random_blocks(np.random.default_rng(0), kind, shape)
    tiles = kernels.interleave(kind, shape, blocks)
    assert tiles.size == blocks.size == kernels.tile_bytes(kind, shape)
    assert (kernels.deinterleave(kind, shape, tiles) == blocks).all()
    assert not (tiles == blocks).all()


@pytest.mark.parametrize("kind", [Q4, Q8], ids=lambda kind: kind.name)
def test_a_tile_is_as_the_header_says(kind: GGMLType) -> None:
    blocks = random_blocks(np.random.default_rng(1), kind, (32, 64))
    tiles = kernels.interleave(kind, (32, 64), blocks).reshape(2, 2, -1)
    numbers = dequantised(kind, (32, 64), blocks)
    for row, k in [(0, 0), (5, 3), (15, 31), (16, 32), (21, 47), (31, 63)]:
        tile = tiles[row // 16, k // 32]
        scale = float(tile[:32].copy().view(np.float16)[row % 16])
        place, i = k % 32, tile[32:]
        if kind is Q4:
            byte = i.reshape(4, 16, 4)[place % 16 // 4, row % 16, place % 4]
            value = int(byte >> 4 if place >= 16 else byte & 15) - 8
        else:
            value = int(i.reshape(8, 16, 4)[place // 4, row % 16, place % 4]) - 128
        assert scale * value == numbers[row, k]


@KINDS
def test_parts_of_a_tensor_can_be_done_apart(kind: GGMLType) -> None:
    depth = 3 * max(32, kind.block_size)
    blocks = random_blocks(np.random.default_rng(2), kind, (64, depth))
    whole = kernels.interleave(kind, (64, depth), blocks)
    out = np.zeros_like(whole)
    for part in (1, 0):
        half = slice(part * out.size // 2, (part + 1) * out.size // 2)
        kernels.interleave(kind, (32, depth), blocks[half], out[half])
    assert (out == whole).all()


@pytest.mark.parametrize(
    ("kind", "shape", "reason"),
    [
        (GGMLType.IQ4_NL, (16, 32), "IQ4_NL weights"),
        (GGMLType.Q4_0, (16,), "1 dimensions"),
        (GGMLType.Q4_0, (16, 48), "depth 48"),
        (GGMLType.Q6_K, (16, 384), "depth 384"),
        (GGMLType.Q8_0, (24, 32), "24 rows"),
        (GGMLType.Q8_0, (0, 32), "0 rows"),
        (GGMLType.Q8_0, (257, 16, 32), "257 experts"),
    ],
    ids=str,
)
def test_what_does_not_fit_says_why(kind: GGMLType, shape: tuple[int, ...], reason: str) -> None:
    assert not kernels.fits(kind, shape)
    assert reason in str(kernels.misfit(kind, shape))
    with pytest.raises(CheckpointError, match=reason):
        kernels.interleave(kind, shape, np.zeros(0, np.uint8))


def test_a_wrong_number_of_bytes_is_refused() -> None:
    blocks = random_blocks(np.random.default_rng(0), Q4, (16, 64))
    with pytest.raises(CheckpointError, match="576 contiguous bytes, got 575"):
        kernels.interleave(Q4, (16, 64), blocks[:-1])
    with pytest.raises(CheckpointError, match="576 contiguous bytes, got 288"):
        kernels.deinterleave(Q4, (16, 64), blocks, np.zeros(288, np.uint8))
    with pytest.raises(CheckpointError, match="contiguous"):
        kernels.interleave(Q4, (16, 64), np.repeat(blocks, 2)[::2])
