"""What the model would say if channels could not see each other.

The grid without the hidden channels is a grid, so no mask is needed: a channel that is alone is
a column, and B grids of C columns are B * C ordinary causal sequences of R tokens.

    [B, R, C]  ->  [B * C, R, 1]            everything hidden
               ->  [B * C, R, 1 + visible]  some channels visible to all: they stay beside it

Rows keep their numbers, columns the embedding of their channel, and the short conv its mode. Only
columns that have targets are computed; nothing is kept for a backward pass.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from motet.runtime.torch.conversations import Conversations
from motet.runtime.torch.multistream import MultiStreamModel
from motet.runtime.torch.whole import WholeGrids
from motet.train.batch import Batch
from motet.train.objective.cross_entropy import token_losses
from motet.train.objective.targets import Targets

__all__ = ["View", "self_losses", "views_of"]


@dataclass(frozen=True, slots=True)
class View:
    """The columns of a grid that are left, and the channels whose targets they have to predict."""

    columns: tuple[int, ...]
    channels: tuple[int, ...]


def views_of(num_channels: int, sampled: Sequence[int], hidden: Sequence[int]) -> list[View]:
    """For each sampled channel the grid that it sees: its own column and those not hidden."""
    views: dict[tuple[int, ...], list[int]] = {}
    for channel in sampled:
        columns = tuple(c for c in range(num_channels) if c == channel or c not in hidden)
        views.setdefault(columns, []).append(channel)
    return [View(columns, tuple(channels)) for columns, channels in views.items()]


@torch.no_grad()
def self_losses(
    model: MultiStreamModel,
    batch: Batch,
    targets: Targets,
    views: Sequence[View],
    logits_bytes: int,
) -> Tensor:
    """Cross-entropy [N] of each target in the view of its channel; dropout is off."""
    losses_N: Tensor | None = None
    with _without_dropout(model):
        for width in sorted({len(view.columns) for view in views}):
            alike = [view for view in views if len(view.columns) == width]
            index_M, hidden_MD = _predicting(model, batch, targets, alike)
            token_M = targets.token_N[index_M]
            vocab_size = model.config.vocab_size
            losses_M, _ = token_losses(
                model.head_module, hidden_MD, token_M, vocab_size, logits_bytes
            )
            if losses_N is None:
                losses_N = losses_M.new_zeros(len(targets.token_N))
            losses_N[index_M] = losses_M
    assert losses_N is not None
    return losses_N


def _predicting(
    model: MultiStreamModel, batch: Batch, targets: Targets, views: Sequence[View]
) -> tuple[Tensor, Tensor]:
    """Which targets [M] these views predict, and from which hidden states [M, D]."""
    tokens_BRC, conversations_BR = batch["tokens_BRC"], batch["conversations_BR"]
    device, (B, R, C) = tokens_BRC.device, tokens_BRC.shape
    columns_VW = torch.tensor([view.columns for view in views], device=device)
    V, W = columns_VW.shape
    tokens_LRW = tokens_BRC[:, :, columns_VW].transpose(1, 2).flatten(0, 1)  # L = B * V lines
    streams = WholeGrids(
        B * V, R, W, model.layout.conv_mode, device,
        conversations=Conversations(conversations_BR.repeat_interleave(V, dim=0)),
        channels_BC=columns_VW.repeat(B, 1),
    )  # fmt: skip
    hidden_LTD = model.hidden(tokens_LRW.flatten(1), streams)
    view_C = torch.full((C,), -1, device=device)
    column_C = torch.zeros(C, dtype=torch.long, device=device)
    for v, view in enumerate(views):
        for channel in view.channels:
            view_C[channel], column_C[channel] = v, view.columns.index(channel)
    index_M = torch.nonzero(view_C[targets.channel_N] >= 0).squeeze(1)
    channel_M = targets.channel_N[index_M]
    line_M = targets.line_N[index_M] * V + view_C[channel_M]
    cell_M = (line_M * R + targets.row_N[index_M] - 1) * W + column_C[channel_M]
    return index_M, hidden_LTD.flatten(0, 1).index_select(0, cell_M)


@contextmanager
def _without_dropout(model: nn.Module) -> Iterator[None]:
    """Every module in evaluation mode, and each back to its own mode afterwards."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
