"""A new grid out of the cells of others: each cell says which grid it comes from, and which row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from motet.data.augment.voices import Voices
from motet.data.token_grid import TokenGrid
from motet.streams.grid import TOKEN_DTYPE

NOWHERE = -1

Places = NDArray[np.int64]


def gather(
    grids: Sequence[TokenGrid],
    source_RC: Places,
    row_RC: Places,
    voices: Voices,
    *,
    is_learned: bool = True,
) -> TokenGrid:
    """The grid whose cell (r, c) is cell (row_RC[r, c], c) of grids[source_RC[r, c]].

    A cell whose source is NOWHERE is silence of weight 1; is_learned: and a target, where its
    channel is sampled.
    The new grid has all ids, and no `meta`: the rows that it may speak of would not hold any more.
    """
    picked = [np.nonzero(source_RC == number) for number in range(len(grids))]
    taken = [(row_RC[place], place[1]) for place in picked]
    tokens_RC = np.full(source_RC.shape, voices.silence_id, TOKEN_DTYPE)
    for grid, place, cell in zip(grids, picked, taken, strict=True):
        tokens_RC[place] = grid.tokens_RC[cell]
    learned_RC = weights_RC = None
    if not is_learned or any(grid.learned_RC is not None for grid in grids):
        learned_RC = np.broadcast_to(voices.sampled_C & is_learned, source_RC.shape).copy()
        for grid, place, cell in zip(grids, picked, taken, strict=True):
            learned_RC[place] = voices.learned_RC(grid)[cell]
    if any(grid.weights_RC is not None for grid in grids):
        weights_RC = np.ones(source_RC.shape, np.float32)
        for grid, place, cell in zip(grids, picked, taken, strict=True):
            if grid.weights_RC is not None:
                weights_RC[place] = grid.weights_RC[cell]
    return TokenGrid("+".join(grid.id for grid in grids), tokens_RC, learned_RC, weights_RC)
