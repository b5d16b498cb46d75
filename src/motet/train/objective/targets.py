"""The targets of a batch: N cells, each to be predicted from the row before it.

row r - 1   . . x .      hidden state at cell (r - 1, c)
row r       . . y .      target: the token at (r, c)         shift by C in flat cells
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from motet.streams.layout import Layout
from motet.train.batch import Batch

__all__ = ["Targets", "weights_of"]


def weights_of(batch: Batch, layout: Layout, silence_weight: float) -> Tensor:
    """What each cell counts as a target, [B, R, C]: its own weight, times that of silence."""
    weights_BRC = batch["weights_BRC"]
    if layout.silence is None:
        return weights_BRC
    is_silent_BRC = batch["tokens_BRC"] == layout.silence.id
    return torch.where(is_silent_BRC, weights_BRC * silence_weight, weights_BRC)


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the targets are, what they are and what they count; each tensor is [N].

    line, row, channel: the place of the target itself, never row 0. conversation: a number that
    targets share if their rows are of one conversation. In the order of flat cells.
    """

    line_N: Tensor
    row_N: Tensor
    channel_N: Tensor
    conversation_N: Tensor
    token_N: Tensor
    weight_N: Tensor
    is_silent_N: Tensor

    @classmethod
    def of(cls, batch: Batch, layout: Layout, silence_weight: float) -> Targets:
        """All cells of the batch that count anything."""
        tokens_BRC, conversations_BR = batch["tokens_BRC"], batch["conversations_BR"]
        weights_BRC = weights_of(batch, layout, silence_weight)
        line_N, row_N, channel_N = torch.nonzero(weights_BRC[:, 1:], as_tuple=True)
        row_N = row_N + 1
        token_N = tokens_BRC[line_N, row_N, channel_N]
        num_rows = conversations_BR.shape[1]
        return cls(
            line_N=line_N,
            row_N=row_N,
            channel_N=channel_N,
            conversation_N=line_N * num_rows + conversations_BR[line_N, row_N],
            token_N=token_N,
            weight_N=weights_BRC[line_N, row_N, channel_N],
            is_silent_N=token_N == (-1 if layout.silence is None else layout.silence.id),
        )

    def predicted_from(self, hidden_BRCD: Tensor) -> Tensor:
        """The hidden states [N, D] that have to predict the targets."""
        _, R, C, _ = hidden_BRCD.shape
        cell_N = (self.line_N * R + self.row_N - 1) * C + self.channel_N
        return hidden_BRCD.flatten(0, 2).index_select(0, cell_N)
