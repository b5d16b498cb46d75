"""Small conversations of random tokens, a third of them silent."""

from __future__ import annotations

from typing import Any

import numpy as np

from motet.data.token_grid import TokenGrid
from tests.tiny import VOCAB_SIZE


def random_grid(num_rows: int, num_channels: int, seed: int = 0, **fields: Any) -> TokenGrid:
    rng = np.random.default_rng(seed)
    shape = (num_rows, num_channels)
    tokens_RC = rng.integers(1, VOCAB_SIZE, shape, dtype=np.int32)
    tokens_RC[rng.random(shape) < 1 / 3] = 0
    return TokenGrid(f"grid {seed}", tokens_RC, **fields)


def partly_learned(num_rows: int, num_channels: int, seed: int = 0) -> TokenGrid:
    """Half of the cells learned, some of them three times as much as others."""
    rng = np.random.default_rng(seed + 1000)
    shape = (num_rows, num_channels)
    weights = np.where(rng.random(shape) < 0.3, 3.0, 1.0).astype(np.float32)
    return random_grid(
        num_rows, num_channels, seed, learned_RC=rng.random(shape) < 0.5, weights_RC=weights
    )
