"""What a training reads in one epoch: every conversation of the mixture once, joined and augmented.

    place of the epoch    0   1   2   3   4   5   6 ...
    follows the one before    x       x   x                 (dice named by seed, epoch, place)
    sample                0---0   1---1---1   2   3 ...

Sample i is a function of (seed, epoch, i) and the data alone: a training that goes on after a kill,
or in other processes, sees the same.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import overload

import numpy as np

from motet.data.augment import Augmentation, Voices, augment
from motet.data.dice import Dice, key_of
from motet.data.grids import GridDataset
from motet.data.mix import Mixture, Place
from motet.data.permutation import Places, scrambled
from motet.data.token_grid import TokenGrid
from motet.streams.layout import Layout


class Samples(Sequence[TokenGrid]):
    """The samples of epoch `epoch` of `mixture` over `datasets`, which have the same layout."""

    def __init__(
        self,
        datasets: Sequence[GridDataset],
        mixture: Mixture,
        augmentation: Augmentation,
        layout: Layout,
        *,
        seed: int,
        epoch: int,
    ) -> None:
        self._datasets = datasets
        self._order = mixture.epoch(epoch)
        self._augmentation = augmentation
        self._voices = None if augmentation.is_none else Voices.of(layout)
        self._name = ("samples", seed, epoch)
        self._starts = np.array(self._first_places(), dtype=np.int64)

    def __len__(self) -> int:
        return len(self._starts)

    def places(self, index: int) -> list[Place]:
        """Dataset and conversation of everything that sample `index` is made of."""
        start = int(self._starts[index])
        is_last = index + 1 == len(self._starts)
        stop = len(self._order) if is_last else int(self._starts[index + 1])
        return self._order[start:stop]

    @overload
    def __getitem__(self, index: int) -> TokenGrid: ...
    @overload
    def __getitem__(self, index: slice) -> list[TokenGrid]: ...
    def __getitem__(self, index: int | slice) -> TokenGrid | list[TokenGrid]:
        """Sample `index`; DataError if a conversation of it is broken."""
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        number = range(len(self))[index]
        grids: list[TokenGrid] = [
            self._datasets[dataset][place] for dataset, place in self.places(number)
        ]
        if self._voices is None:
            return grids[0]
        start = int(self._starts[number])
        return augment(grids, self._voices, self._augmentation, Dice(*self._name, start))

    def _first_places(self) -> list[int]:
        """Places of the order at which a sample begins."""
        num_places, joining = len(self._order), self._augmentation.concatenate
        if not joining.share:
            return list(range(num_places))
        places_N = np.arange(num_places)
        key = np.uint64(key_of(*self._name))
        throws_N = scrambled(places_N.astype(np.uint64) ^ key) >> np.uint64(11)
        follows_N = throws_N * 2.0**-53 < joining.share
        max_rows = self._augmentation.max_rows or sys.maxsize
        first_places: list[int] = []
        num_turns = num_rows = 0
        for place, (follows, rows) in enumerate(
            zip(follows_N.tolist(), self._num_rows(places_N).tolist(), strict=True)
        ):
            with_it = num_rows + joining.max_gap_rows + rows
            if place and follows and num_turns < joining.max_turns and with_it <= max_rows:
                num_turns, num_rows = num_turns + 1, with_it
            else:
                first_places.append(place)
                num_turns, num_rows = 1, rows
        return first_places

    def _num_rows(self, places_N: Places) -> Places:
        datasets_N, conversations_N = self._order.at(places_N)
        num_rows_N = np.empty_like(places_N)
        for number, dataset in enumerate(self._datasets):
            here = datasets_N == number
            num_rows_N[here] = dataset.num_rows_N[conversations_N[here]]
        return num_rows_N
