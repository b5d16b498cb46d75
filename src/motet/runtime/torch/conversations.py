"""Conversations that share a line of a batch, laid out one by one where cells are mixed.

    line 0   A A A B B .        A A A        line 1 and line 0 hold three conversations;
    line 1   C C C C . .   ->   B B -        attention and conv see each of them alone, in a
                                C C C C      few buckets of similar length

Everything else in a transformer works on one cell at a time, so a packed line costs no padding
there. Attention and conv gather the rows of each conversation, mix them as grids of their own and
scatter the result back. So conversations can't see each other by construction, and no mask knows
about them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

PADDING = -1
"""The conversation number of rows that belong to none."""

_ALIKE = 0.75  # a conversation this much as long as the longest of a bucket is padded to it
_SHORT_ROWS = 32  # below this all are alike: a call costs more than the rows it saves

Mix = Callable[..., Tensor]


@dataclass(frozen=True, slots=True)
class Run:
    """A conversation: `num_rows` rows of a line, from `first` of all rows [B * R] on."""

    first: int
    num_rows: int


class Conversations:
    """Where the conversations of a batch lie, by its conversation numbers [B, R].

    Rows of a conversation stand together in one line; rows numbered `PADDING` belong to none.
    """

    def __init__(self, numbers_BR: Tensor) -> None:
        numbers = numbers_BR.cpu().numpy()
        device = numbers_BR.device
        self._shape = numbers.shape
        runs = runs_of(numbers)
        self.are_alone = _each_alone(runs, numbers)
        self.rows_BR = _rows_in_conversation(numbers).to(device)
        self._buckets: list[Tensor] = []
        if not self.are_alone:
            self._lay_out(runs, device)

    def _lay_out(self, runs: Sequence[Run], device: torch.device) -> None:
        """Index of the row that stands at each place of each bucket [N, L], and the way back."""
        num_rows = int(np.prod(self._shape))
        back = np.zeros(num_rows, np.int64)  # place 0 of all is a row of zeros, for padding
        start = 1
        for bucket in _buckets(runs):
            length = bucket[0].num_rows
            index_NL = np.empty((len(bucket), length), np.int64)
            for n, run in enumerate(bucket):
                places = np.arange(length)
                index_NL[n] = run.first + np.minimum(places, run.num_rows - 1)
                rows = slice(run.first, run.first + run.num_rows)
                back[rows] = start + n * length + places[: run.num_rows]
            self._buckets.append(torch.from_numpy(index_NL).to(device))
            start += index_NL.size
        self._back = torch.from_numpy(back).to(device)

    def mix(self, function: Mix, *cells: Tensor) -> Tensor:
        """`function` of the cells [B, R, ...] of each conversation [N, L, ...] for itself.

        Conversations shorter than L repeat their last row, which no earlier row may see. Padding
        comes out as zeros.
        """
        flat = [x.flatten(0, 1) for x in cells]
        mixed = []
        for index_NL in self._buckets:
            taken = [x.index_select(0, index_NL.view(-1)) for x in flat]
            out = function(*(x.unflatten(0, index_NL.shape) for x in taken))
            mixed.append(out.flatten(0, 1))
        nothing = mixed[0].new_zeros(1, *mixed[0].shape[1:])
        places = torch.cat([nothing, *mixed])
        rows: Tensor = places.index_select(0, self._back).unflatten(0, self._shape)
        return rows


def runs_of(numbers_BR: NDArray[np.int64]) -> list[Run]:
    """The conversations, line by line."""
    is_first = np.ones(numbers_BR.shape, np.bool_)
    is_first[:, 1:] = numbers_BR[:, 1:] != numbers_BR[:, :-1]
    starts = np.flatnonzero(is_first)
    stops = np.append(starts[1:], numbers_BR.size)
    flat = numbers_BR.reshape(-1)
    return [
        Run(int(a), int(b - a)) for a, b in zip(starts, stops, strict=True) if flat[a] != PADDING
    ]


def _each_alone(runs: Sequence[Run], numbers_BR: NDArray[np.int64]) -> bool:
    """Whether no line holds more than one conversation, from its first row on."""
    R = numbers_BR.shape[1]
    return all(run.first % R == 0 for run in runs)


def _rows_in_conversation(numbers_BR: NDArray[np.int64]) -> Tensor:
    """The row of each row within its conversation, [B, R]."""
    R = numbers_BR.shape[1]
    rows_BR = np.broadcast_to(np.arange(R), numbers_BR.shape)
    is_first = np.zeros(numbers_BR.shape, np.bool_)
    is_first[:, 1:] = numbers_BR[:, 1:] != numbers_BR[:, :-1]
    first_BR = np.maximum.accumulate(np.where(is_first, rows_BR, 0), axis=1)
    return torch.from_numpy(rows_BR - first_BR)


def _buckets(runs: Sequence[Run]) -> list[list[Run]]:
    """Conversations of similar length together, the longest of each bucket first."""
    buckets: list[list[Run]] = []
    for run in sorted(runs, key=lambda run: -run.num_rows):
        longest = buckets[-1][0].num_rows if buckets else 0
        if buckets and (run.num_rows >= _ALIKE * longest or longest <= _SHORT_ROWS):
            buckets[-1].append(run)
        else:
            buckets.append([run])
    return buckets
