"""A shuffled order that is computed, not stored: place -> item, one to one, in constant memory.

A Feistel network turns any keyed function into a permutation of pairs (Luby and Rackoff, 1988);
numbers that fall outside of the wanted range go through again until they are inside (cycle
walking: Black and Rogaway, 2002). The keyed function is the finaliser of SplitMix64 (Steele, Lea
and Flood, 2014).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from motet.data.dice import key_of

Places = NDArray[np.int64]
_NUM_ROUNDS = 4


class Permutation:
    """The numbers 0 to size - 1 in an order that `path` names."""

    def __init__(self, size: int, *path: int | str) -> None:
        self.size = size
        half_bits = (max(size - 1, 1).bit_length() + 1) // 2
        self._shift = np.uint64(half_bits)
        self._mask = np.uint64((1 << half_bits) - 1)
        self._keys = [np.uint64(key_of("permutation", turn, *path)) for turn in range(_NUM_ROUNDS)]

    def __call__(self, places_N: Places) -> Places:
        """Items [N] at these places; each place from 0 to size - 1."""
        values = places_N.astype(np.uint64)
        outside = np.arange(len(values))
        while len(outside):
            values[outside] = self._mixed(values[outside])
            outside = outside[values[outside] >= self.size]
        return values.astype(np.int64)

    def _mixed(self, values: NDArray[np.uint64]) -> NDArray[np.uint64]:
        left, right = values >> self._shift, values & self._mask
        for key in self._keys:
            left, right = right, left ^ (scrambled(right + key) & self._mask)
        return (left << self._shift) | right


def scrambled(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Each value as another one that tells nothing of it."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
