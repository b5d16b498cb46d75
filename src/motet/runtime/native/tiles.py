"""The interleaved weights that our own kernels read, made from a model's when it is opened.

A tensor is split among threads by rows; the pages of a mapped file that were read are given back,
so that a model is in memory once.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from math import prod

import numpy as np
from numpy.typing import NDArray

from motet.runtime.native.kernels import Weights, interleave, weights_of
from motet.runtime.native.weights import Model, Weight

_ALIGNMENT = 64
_PART_ROWS = 4096

Bytes = NDArray[np.uint8]


class Tiles:
    """Interleaved weights of a model, by name."""

    def __init__(self, model: Model, names: Iterable[str], num_threads: int) -> None:
        self._tiles: dict[str, Bytes] = {}
        self._weights: Mapping[str, Weight] = model.weights
        with ThreadPoolExecutor(num_threads) as threads:
            for name in names:
                self._tiles[name] = _interleaved(model.weights[name], threads)

    def __contains__(self, name: str) -> bool:
        return name in self._tiles

    def __getitem__(self, name: str) -> Weights:
        weight = self._weights[name]
        return weights_of(weight.type, weight.shape, self._tiles[name].ctypes.data)

    @property
    def num_bytes(self) -> int:
        """Bytes held beside the model's own weights."""
        return sum(tiles.nbytes for tiles in self._tiles.values())


def _interleaved(weight: Weight, threads: ThreadPoolExecutor) -> Bytes:
    num_rows, depth = prod(weight.shape[:-1]), weight.shape[-1]
    row_bytes = weight.type.num_bytes((depth,))
    tiles = _aligned(len(weight.data))

    def part(start: int) -> None:
        count = min(_PART_ROWS, num_rows - start)
        span = slice(start * row_bytes, (start + count) * row_bytes)
        interleave(weight.type, (count, depth), weight.data[span], tiles[span])

    list(threads.map(part, range(0, num_rows, _PART_ROWS)))
    _give_back(weight.data)
    return tiles


def _aligned(num_bytes: int) -> Bytes:
    memory = np.empty(num_bytes + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + num_bytes]


def _give_back(data: Bytes) -> None:
    """Drop the pages of a mapped array from memory; they come back if anybody reads them."""
    mapped = getattr(data, "_mmap", None)
    if isinstance(mapped, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        start = data.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
        first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
        length = (start + data.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - first
        if length > 0:
            mapped.madvise(mmap.MADV_DONTNEED, first, length)
