"""Which optimizer trains which parameter, and at which rate in which step."""

from __future__ import annotations

from torch import nn
from torch.optim import AdamW, Optimizer

from motet.train.tiny.config import OptimConfig
from motet.train.tiny.muon import Muon
from motet.train.tiny.team import Team

__all__ = ["build_optimizers", "rate_at", "set_rates"]

_NOT_FOR_MUON = ("embed", "gate.weight", "conv.conv")


def build_optimizers(model: nn.Module, config: OptimConfig, team: Team) -> tuple[Optimizer, ...]:
    """Muon for the matrices of the layers; AdamW for embeddings, routers, norms and conv taps."""
    matrices: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    for name, param in model.named_parameters():
        is_matrix = param.ndim >= 2 and not any(part in name for part in _NOT_FOR_MUON)
        (matrices if is_matrix else others).append(param)
    muon = Muon(matrices, lr=config.muon_lr, weight_decay=config.weight_decay, team=team)
    adamw = AdamW(others, lr=config.adamw_lr, betas=(0.9, 0.95), eps=1e-10, weight_decay=0.0)
    return muon, adamw


def set_rates(optimizers: tuple[Optimizer, ...], step: int, config: OptimConfig) -> float:
    """Set the rates for step `step` (from 0); returns their share of the peak."""
    share = rate_at(step, config)
    for optimizer, peak in zip(optimizers, (config.muon_lr, config.adamw_lr), strict=True):
        for group in optimizer.param_groups:
            group["lr"] = peak * share
    return share


def rate_at(step: int, config: OptimConfig) -> float:
    """The share of the peak rate in step `step` (from 0): up, level, linearly down to zero."""
    rising = (step + 1) / max(config.warmup_steps, 1)
    falling = (config.num_steps - step) / max(config.decay_steps, 1)
    return max(0.0, min(1.0, rising, falling))
