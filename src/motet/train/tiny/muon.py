"""Muon: momentum, then the nearest orthogonal matrix as the update.

    M <- mu M + G;   U = NewtonSchulz(G + mu M);   W <- (1 - lr wd) W - lr 0.2 sqrt(max(n, m)) U

Newton-Schulz as in Jordan et al. 2024 (kellerjordan.github.io/posts/muon), the scale that matches
the size of AdamW's updates from Liu et al. 2025 (arXiv:2502.16982). Experts, stacked as [E, n, m],
are E matrices. Matrices of one shape are orthogonalised together: here they are small, and many
small products cost more than one large one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from motet.train.tiny.team import Team

__all__ = ["Muon", "orthogonalise"]

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_MATCH_ADAMW_RMS = 0.2


def orthogonalise(g_Bnm: Tensor, num_iterations: int = 5) -> Tensor:
    """Push all singular values of each matrix [B, n, m] towards 1 (0.7 to 1.2); bfloat16 inside."""
    a, b, c = _COEFFICIENTS
    is_tall = g_Bnm.shape[-2] > g_Bnm.shape[-1]
    x = (g_Bnm.mT if is_tall else g_Bnm).to(torch.bfloat16).contiguous()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(num_iterations):
        gram = x @ x.mT
        polynomial = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        x = torch.baddbmm(x, polynomial, x, beta=a)
    return (x.mT if is_tall else x).to(g_Bnm.dtype)


class Muon(Optimizer):
    """Muon for parameters of two or three dimensions; a three-dimensional one is a stack."""

    def __init__(
        self,
        params: Iterable[Tensor],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        team: Team | None = None,
    ) -> None:
        self._team = team or Team()
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for same_shape in _by_shape(group["params"]).values():
                self._step_same_shape(same_shape, group)

    def _step_same_shape(self, params: list[Tensor], group: dict[str, Any]) -> None:
        directions = []
        for param in params:
            assert param.grad is not None
            state = self.state[param]
            if not state:
                state["momentum"] = torch.zeros_like(param)
            state["momentum"].mul_(group["momentum"]).add_(param.grad)
            direction = param.grad.add(state["momentum"], alpha=group["momentum"])
            directions.append(direction.view(-1, *param.shape[-2:]))
        updates_Bnm = self._team.map_rows(orthogonalise, torch.cat(directions))
        updates = updates_Bnm.split([len(d) for d in directions])
        scale = _MATCH_ADAMW_RMS * max(params[0].shape[-2:]) ** 0.5
        for param, update in zip(params, updates, strict=True):
            param.mul_(1 - group["lr"] * group["weight_decay"])
            param.add_(update.view_as(param), alpha=-group["lr"] * scale)


def _by_shape(params: list[Tensor]) -> dict[tuple[int, ...], list[Tensor]]:
    groups: dict[tuple[int, ...], list[Tensor]] = {}
    for param in params:
        if param.grad is not None:
            groups.setdefault(tuple(param.shape[-2:]), []).append(param)
    return groups
