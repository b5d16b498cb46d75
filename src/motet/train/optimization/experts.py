"""How evenly the experts are used, and a bias that only their selection sees to even it out.

After each step an expert that was chosen less often than the mean gets a little more bias, one that
was chosen more often a little less (Wang et al. 2024, arXiv:2408.15664): no loss of its own, no
gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

__all__ = ["ExpertLoad", "largest_share"]


class ExpertLoad:
    """Counts how often the routers of `model` choose each expert while it learns.

    The counterfactual pass, which has no gradient, and evaluations are not counted.
    """

    def __init__(self, model: nn.Module) -> None:
        self._blocks: list[Any] = [m for m in model.modules() if hasattr(m, "expert_bias")]
        sizes = [len(block.expert_bias) for block in self._blocks]
        self._counts = [torch.zeros(size, dtype=torch.float64) for size in sizes]
        for layer, block in enumerate(self._blocks):
            block.gate.register_forward_hook(self._counting(layer))

    @property
    def num_layers(self) -> int:
        """Layers that have experts."""
        return len(self._blocks)

    def take(self, device: torch.device) -> Tensor:
        """The choices since the last call, of all layers behind each other, in float64."""
        flat = [counts.to(device) for counts in self._counts]
        self._counts = [torch.zeros_like(counts) for counts in self._counts]
        return torch.cat(flat) if flat else torch.zeros(0, dtype=torch.float64, device=device)

    def split(self, choices: Tensor) -> tuple[Tensor, ...]:
        """What `take` gave (summed over steps or processes), by layer."""
        parts: tuple[Tensor, ...] = choices.split([len(counts) for counts in self._counts])
        return parts

    @torch.no_grad()
    def balance(self, choices: Tensor, rate: float) -> None:
        """Move the biases by `rate` towards even use."""
        for block, counts in zip(self._blocks, self.split(choices), strict=True):
            counts = counts.to(block.expert_bias.device)
            step = torch.sign(counts.mean() - counts).to(block.expert_bias.dtype)
            block.expert_bias.add_(step, alpha=rate)

    def _counting(self, layer: int) -> Callable[..., None]:
        def count(module: nn.Module, _: object, output: tuple[Tensor, Tensor, Tensor]) -> None:
            if module.training and torch.is_grad_enabled():
                counts = self._counts[layer]
                chosen = torch.bincount(output[2].flatten(), minlength=len(counts))
                self._counts[layer] = counts.to(chosen.device) + chosen

        return count


def largest_share(choices_E: Tensor) -> float:
    """The share of all choices that the most used expert of a layer has."""
    total = float(choices_E.sum())
    return float(choices_E.max()) / total if total else 0.0
