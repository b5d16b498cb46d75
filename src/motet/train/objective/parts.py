"""What the objective says about a micro-batch: a loss, and sums to report."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from motet.train.objective.targets import Targets

__all__ = ["LossParts", "parts_of"]


class LossParts(NamedTuple):
    """The loss with its gradient; and sums of each channel [C], float64, without.

    A tuple, so that what wraps a model for many processes finds the tensors in it. The sums add up
    over micro-batches and processes. total: the weighted losses, divided by what the targets of
    the whole step count. loss: cross-entropy in nats, each target counting 1, as everywhere here.
    spoken: of the targets that are not silence; right: of those, the likeliest token was it.
    longce: of steps with LongCE alone, w and the cross-entropy with channels hidden; else 0.
    """

    total: Tensor
    loss_C: Tensor
    targets_C: Tensor
    spoken_loss_C: Tensor
    spoken_C: Tensor
    spoken_right_C: Tensor
    longce_weight_C: Tensor
    longce_self_loss_C: Tensor
    longce_targets_C: Tensor


class _Sums:
    """Sums over the targets of each channel."""

    def __init__(self, targets: Targets, num_channels: int) -> None:
        self._channel_N = targets.channel_N
        self._num_channels = num_channels

    def __call__(self, x_N: Tensor | None) -> Tensor:
        sums_C = torch.zeros(self._num_channels, dtype=torch.float64, device=self._channel_N.device)
        return sums_C if x_N is None else sums_C.index_add(0, self._channel_N, x_N.double())


def parts_of(
    total: Tensor,
    targets: Targets,
    num_channels: int,
    losses_N: Tensor,
    is_right_N: Tensor,
    w_N: Tensor | None,
    self_losses_N: Tensor | None,
) -> LossParts:
    """The sums of one micro-batch; w and self losses are None in a step without LongCE."""
    sums = _Sums(targets, num_channels)
    losses_N = losses_N.detach()
    is_spoken_N = ~targets.is_silent_N
    ones_N = torch.ones_like(losses_N)
    return LossParts(
        total=total,
        loss_C=sums(losses_N),
        targets_C=sums(ones_N),
        spoken_loss_C=sums(losses_N * is_spoken_N),
        spoken_C=sums(is_spoken_N),
        spoken_right_C=sums(is_right_N & is_spoken_N),
        longce_weight_C=sums(w_N),
        longce_self_loss_C=sums(self_losses_N),
        longce_targets_C=sums(None if w_N is None else ones_N),
    )
