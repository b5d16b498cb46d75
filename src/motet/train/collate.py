"""Conversations to a batch: lines of equal length, and what counts in them as a target.

    line 0   first conversation, second conversation, padding
    line 1   third conversation,                      padding

A target is a cell that the row before it has to predict. The first row of a conversation has no row
before it, and input channels are given, so neither is ever one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from motet.data.token_grid import TokenGrid
from motet.errors import DataError
from motet.streams.layout import Layout
from motet.train.batch import Batch

__all__ = ["PADDING", "Collator"]

PADDING = -1


class Collator:
    """Makes batches for a model of `layout` out of conversations.

    visible: the conversations of a line are read as one, each seeing those before it; else each
    is read as if it were alone. round_rows_to: lines are as many rows as the longest needs, and
    so many more that this divides them.
    """

    def __init__(self, layout: Layout, *, visible: bool, round_rows_to: int = 8) -> None:
        self._layout = layout
        self._visible = visible
        self._round_rows_to = round_rows_to
        self._fill_id = 0 if layout.silence is None else layout.silence.id
        self._is_sampled_C = np.zeros(layout.num_channels, np.bool_)
        self._is_sampled_C[list(layout.sampled_indices)] = True

    def __call__(self, sequences: Sequence[Sequence[TokenGrid]]) -> Batch:
        """A line for each sequence of conversations; DataError if one has not the layout's width.

        No rows at all is a DataError, too.
        """
        longest = max((sum(grid.num_rows for grid in line) for line in sequences), default=0)
        if longest == 0:
            raise DataError("batch", expected="a conversation with rows", got="none")
        B, C = len(sequences), self._layout.num_channels
        R = longest + -longest % self._round_rows_to
        tokens_BRC = np.full((B, R, C), self._fill_id, np.int64)
        weights_BRC = np.zeros((B, R, C), np.float32)
        conversations_BR = np.full((B, R), PADDING, np.int64)
        for b, line in enumerate(sequences):
            first = 0
            for number, grid in enumerate(line):
                self._check(grid)
                rows = slice(first, first := first + grid.num_rows)
                tokens_BRC[b, rows] = grid.tokens_RC
                weights_BRC[b, rows] = self._weights_RC(grid)
                conversations_BR[b, rows] = 0 if self._visible else number
        return Batch(
            tokens_BRC=torch.from_numpy(tokens_BRC),
            weights_BRC=torch.from_numpy(weights_BRC),
            conversations_BR=torch.from_numpy(conversations_BR),
        )

    def _weights_RC(self, grid: TokenGrid) -> NDArray[np.float32]:
        """How much each cell counts; 0 for the first row, input channels and what is given."""
        weights_RC = np.broadcast_to(self._is_sampled_C.astype(np.float32), grid.tokens_RC.shape)
        if grid.weights_RC is not None:
            weights_RC = weights_RC * grid.weights_RC
        if grid.learned_RC is not None:
            weights_RC = weights_RC * grid.learned_RC
        weights_RC = weights_RC.copy()
        weights_RC[:1] = 0.0
        return weights_RC

    def _check(self, grid: TokenGrid) -> None:
        if grid.tokens_RC.shape[1] != self._layout.num_channels:
            raise DataError(
                f"grid {grid.id}", expected=f"{self._layout.num_channels} channels",
                got=grid.tokens_RC.shape[1],
            )  # fmt: skip
