"""Weighted cross-entropy of the next row's cells.

Logits at (r, c) predict the cell (r + 1, c). Spoken targets weigh 1, silent ones less, decisions
more; cells that were given or planted weigh nothing and are not even sent through the head.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from motet.data.tiny.conversation import Target
from motet.runtime.torch.multistream import MultiStreamModel
from motet.runtime.torch.whole import WholeGrids
from motet.train.tiny.batches import Batch
from motet.train.tiny.config import OptimConfig

__all__ = ["Loss", "batch_loss", "total_weight", "weights_of"]


@dataclass(frozen=True, slots=True)
class Loss:
    """total: the weighted sum of losses, with gradient. Of the spoken targets, argmax gets some."""

    total: Tensor
    num_right: int
    num_spoken: int


def weights_of(kinds: Tensor, config: OptimConfig) -> Tensor:
    """The weight of each target, by its `Target` kind; same shape."""
    table = torch.zeros(len(Target))
    table[Target.SPOKEN] = 1.0
    table[Target.SILENT] = config.silence_weight
    table[Target.DECISION] = config.decision_weight
    return table[kinds.long()]


def total_weight(batch: Batch, config: OptimConfig) -> float:
    """The sum of the weights of all targets."""
    return float(weights_of(batch.targets_BRC, config).sum())


def batch_loss(model: MultiStreamModel, batch: Batch, config: OptimConfig) -> Loss:
    """The loss summed over targets, each with its weight; row 0 is never a target."""
    B, R, C = batch.tokens_BRC.shape
    streams = WholeGrids(B, R, C, model.layout.conv_mode, batch.tokens_BRC.device)
    hidden_BTD = model.hidden(batch.tokens_BRC.flatten(1), streams)
    hidden_BRCD = hidden_BTD.unflatten(1, (R, C))[:, :-1]
    kinds_BRC = batch.targets_BRC[:, 1:]
    is_target_BRC = kinds_BRC != Target.NONE
    logits_NV = model.head(hidden_BRCD[is_target_BRC])
    targets_N = batch.tokens_BRC[:, 1:][is_target_BRC]
    kinds_N = kinds_BRC[is_target_BRC]
    losses_N = cross_entropy(logits_NV, targets_N, reduction="none")
    is_spoken_N = kinds_N != Target.SILENT
    is_right_N = (logits_NV.detach().argmax(-1) == targets_N) & is_spoken_N
    total = (losses_N * weights_of(kinds_N, config)).sum()
    return Loss(total, int(is_right_N.sum()), int(is_spoken_N.sum()))
