"""Even use of the experts without a loss of its own: the bias that only selection sees.

After each step an expert that was chosen less often than the mean gets a little more bias, one that
was chosen more often a little less (Wang et al. 2024, arXiv:2408.15664).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ExpertBalance"]


class ExpertBalance:
    """Counts the choices of every router of `model` (`counts`, [E] each) and moves the biases."""

    def __init__(self, model: nn.Module, rate: float) -> None:
        self._rate = rate
        self._blocks: list[Any] = [m for m in model.modules() if hasattr(m, "expert_bias")]
        self.counts = [torch.zeros_like(block.expert_bias) for block in self._blocks]
        for block, counts in zip(self._blocks, self.counts, strict=True):
            block.gate.register_forward_hook(_counting(counts))

    @torch.no_grad()
    def step(self) -> float:
        """Move the biases; returns the largest share of choices that one expert had."""
        largest = 0.0
        for block, counts in zip(self._blocks, self.counts, strict=True):
            block.expert_bias.add_(torch.sign(counts.mean() - counts), alpha=self._rate)
            largest = max(largest, float(counts.max() / counts.sum()))
            counts.zero_()
        return largest


def _counting(counts: Tensor) -> Any:
    def count(module: nn.Module, _: object, output: tuple[Tensor, Tensor, Tensor]) -> None:
        if module.training:
            counts.add_(torch.bincount(output[2].flatten(), minlength=len(counts)))

    return count
