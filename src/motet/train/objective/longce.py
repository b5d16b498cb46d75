"""LongCE-channel: a target that the other channels help to predict counts more.

    w = min(exp(CE_self - CE_full), gamma)

CE_full is the cross-entropy of a target under the whole grid, CE_self that of the same model when
other channels are hidden. The weight is a number, not a function: no gradient flows through it.
LongCE is by Fang et al. (arXiv:2410.23771), who hide distant text; hiding channels instead is from
the model card of LFM2.5-8B-A1B-Multichannel.
"""

from __future__ import annotations

from random import Random

import torch
from torch import Tensor

from motet.train.objective.config import ObjectiveConfig
from motet.train.objective.targets import Targets

__all__ = ["is_long_step", "longce_weights"]


def is_long_step(config: ObjectiveConfig, seed: int, step: int) -> bool:
    """Whether the optimizer's step `step` uses LongCE: the same answer in every process."""
    if config.mix == 1.0:
        return False
    return Random(f"{seed}/LongCE/{step}").random() < config.probability


def longce_weights(
    self_losses_N: Tensor, full_losses_N: Tensor, targets: Targets, config: ObjectiveConfig
) -> Tensor:
    """w of each target [N], at most gamma before `mean_one`; losses are in nats."""
    gain_N = self_losses_N.detach() - full_losses_N.detach()
    if config.positive_only:
        gain_N = gain_N.clamp(min=0.0)
    w_N = gain_N.exp().clamp(max=config.gamma)
    return _with_mean_one(w_N, targets) if config.mean_one else w_N


def _with_mean_one(w_N: Tensor, targets: Targets) -> Tensor:
    """w with mean 1 over each conversation's targets of a channel, as they count in the loss.

    A conversation is never split between processes or micro-batches, so the mean is the same
    however a step is divided among them.
    """
    pair_N2 = torch.stack([targets.conversation_N, targets.channel_N], dim=1)
    pairs, group_N = torch.unique(pair_N2, dim=0, return_inverse=True)
    total_G = w_N.new_zeros(len(pairs)).index_add(0, group_N, targets.weight_N.to(w_N))
    total_w_G = w_N.new_zeros(len(pairs)).index_add(0, group_N, targets.weight_N.to(w_N) * w_N)
    factor_G = (total_G / total_w_G).nan_to_num(nan=0.0, posinf=0.0)  # where every w is 0
    return w_N * factor_G[group_N]
