"""How gradients become steps: the optimizer, the rate over time, the balance of the experts."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from motet.train.config.section import Count, NotNegative, Positive, Section, Share

__all__ = ["ExpertsConfig", "OptimizerConfig", "ScheduleConfig"]


class OptimizerConfig(Section):
    """adamw for everything; or muon for the matrices of the layers and adamw for the rest.

    lr: peak rate of adamw; muon_lr: of muon, whose updates are scaled to the size of adamw's.
    clip_norm: gradients are scaled down to this norm; 0 leaves them.
    """

    name: Literal["adamw", "muon"] = "adamw"
    lr: Positive = 2e-5
    muon_lr: Positive = 2e-3
    betas: Annotated[tuple[Share, Share], Field()] = (0.9, 0.95)
    eps: Positive = 1e-8
    weight_decay: NotNegative = 0.0
    momentum: Share = 0.95
    clip_norm: NotNegative = 0.5


class ScheduleConfig(Section):
    """Up in warmup_steps, level, down to `final` of the peak in the last decay_steps."""

    num_steps: Count
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    decay_steps: Annotated[int, Field(ge=0)] = 0
    decay: Literal["linear", "cosine"] = "linear"
    final: Share = 0.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.warmup_steps + self.decay_steps > self.num_steps:
            raise ValueError("warmup_steps and decay_steps may not exceed num_steps together")
        return self


class ExpertsConfig(Section):
    """balance_rate: step of the sign rule that keeps experts evenly used; 0 leaves them alone."""

    balance_rate: NotNegative = 0.0
