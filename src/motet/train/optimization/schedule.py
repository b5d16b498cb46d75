"""The rate over time: up, level, down (warm-up, stable, decay).

With decay_steps = num_steps - warmup_steps there is no level part, and `cosine` is the usual half
of a cosine.
"""

from __future__ import annotations

from functools import partial
from math import cos, pi

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from motet.train.config.optimization import ScheduleConfig

__all__ = ["build_schedule", "rate_at"]


def rate_at(config: ScheduleConfig, step: int) -> float:
    """The share of the peak rate in step `step` (from 0)."""
    rising = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    left = config.num_steps - step
    if left >= config.decay_steps:
        return rising
    share = max(0.0, left / config.decay_steps)
    if config.decay == "cosine":
        share = (1 - cos(pi * share)) / 2
    return config.final + (1 - config.final) * share


def build_schedule(optimizer: Optimizer, config: ScheduleConfig) -> LambdaLR:
    """Sets the rates of all groups of `optimizer`, each relative to its own peak."""
    return LambdaLR(optimizer, partial(rate_at, config))
