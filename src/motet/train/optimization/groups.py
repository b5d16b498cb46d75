"""Which parameter is updated how, and which decays.

adamw    everything; weight decay on matrices, but not on embeddings, routers and conv taps
muon     the matrices of the layers, experts included, each as a matrix of its own; adamw the rest
"""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.optim import AdamW, Optimizer

from motet.train.config.optimization import OptimizerConfig
from motet.train.optimization.muon import ADAMW, MUON, Muon

__all__ = ["build_optimizer"]

_NOT_MATRICES = ("embed", "lm_head", "gate.weight", "conv.conv", "trainable_tokens")


def build_optimizer(model: nn.Module, config: OptimizerConfig) -> Optimizer:
    """The optimizer of all parameters of `model` that learn; muon needs whole matrices."""
    learned = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for name, p in learned if _is_matrix(name, p)]
    others = [p for name, p in learned if not _is_matrix(name, p)]
    adam: dict[str, Any] = {"lr": config.lr, "betas": config.betas, "eps": config.eps}
    if config.name == "adamw":
        decaying = {"params": matrices, "weight_decay": config.weight_decay}
        return AdamW([decaying, {"params": others, "weight_decay": 0.0}], **adam)
    return Muon(
        [
            {"params": matrices, "rule": MUON, "lr": config.muon_lr, "momentum": config.momentum,
             "weight_decay": config.weight_decay},
            {"params": others, "rule": ADAMW, "weight_decay": 0.0, **adam},
        ]
    )  # fmt: skip


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    return parameter.ndim >= 2 and not any(part in name for part in _NOT_MATRICES)
