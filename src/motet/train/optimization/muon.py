"""Muon: momentum, then the nearest orthogonal matrix as the update.

    M <- mu M + G;   U = NewtonSchulz(G + mu M);   W <- (1 - lr wd) W - lr 0.2 sqrt(max(n, m)) U

Newton-Schulz as in Jordan et al. 2024 (kellerjordan.github.io/posts/muon), the scale that matches
the size of AdamW's updates from Liu et al. 2025 (arXiv:2502.16982). Experts, stacked as [E, n, m],
are E matrices. Matrices of one shape are orthogonalised together, because many small products cost
more than one large one; several processes share the work. What is no matrix gets AdamW.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, distributed
from torch.optim import Optimizer
from torch.optim.adamw import adamw

__all__ = ["ADAMW", "MUON", "Muon", "orthogonalise"]

MUON, ADAMW = "muon", "adamw"
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
    """Groups say their `rule`: muon (parameters of two or three dimensions) or adamw."""

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        super().__init__(groups, {})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            params = [p for p in group["params"] if p.grad is not None]
            if group["rule"] == ADAMW:
                self._step_adamw(params, group)
                continue
            for same_shape in _by_shape(params).values():
                self._step_muon(same_shape, group)

    def _step_muon(self, params: Sequence[Tensor], group: dict[str, Any]) -> None:
        directions = []
        for param in params:
            assert param.grad is not None
            state = self.state[param]
            if not state:
                state["momentum"] = torch.zeros_like(param)
            state["momentum"].mul_(group["momentum"]).add_(param.grad)
            direction = param.grad.add(state["momentum"], alpha=group["momentum"])
            directions.append(direction.view(-1, *param.shape[-2:]))
        updates_Bnm = _shared(orthogonalise, torch.cat(directions))
        updates = updates_Bnm.split([len(d) for d in directions])
        scale = _MATCH_ADAMW_RMS * max(params[0].shape[-2:]) ** 0.5
        for param, update in zip(params, updates, strict=True):
            param.mul_(1 - group["lr"] * group["weight_decay"])
            param.add_(update.view_as(param), alpha=-group["lr"] * scale)

    def _step_adamw(self, params: Sequence[Tensor], group: dict[str, Any]) -> None:
        for param in params:
            if not self.state[param]:
                self.state[param] = {
                    "step": torch.tensor(0.0),
                    "exp_avg": torch.zeros_like(param),
                    "exp_avg_sq": torch.zeros_like(param),
                }
        states = [self.state[param] for param in params]
        adamw(
            list(params), [param.grad for param in params if param.grad is not None],
            [s["exp_avg"] for s in states], [s["exp_avg_sq"] for s in states],
            [], [s["step"] for s in states],
            amsgrad=False, beta1=group["betas"][0], beta2=group["betas"][1], lr=group["lr"],
            weight_decay=group["weight_decay"], eps=group["eps"], maximize=False,
        )  # fmt: skip


def _by_shape(params: Iterable[Tensor]) -> dict[tuple[int, ...], list[Tensor]]:
    groups: dict[tuple[int, ...], list[Tensor]] = {}
    for param in params:
        groups.setdefault(tuple(param.shape[-2:]), []).append(param)
    return groups


def _shared(function: Callable[[Tensor], Tensor], x_Bnm: Tensor) -> Tensor:
    """`function` of x, [B, ...] -> [B, ...], each process doing its share of the matrices."""
    size = distributed.get_world_size() if distributed.is_initialized() else 1
    if size == 1:
        return function(x_Bnm)
    share = -(-len(x_Bnm) // size)
    rank = distributed.get_rank()
    mine = x_Bnm[rank * share : (rank + 1) * share]
    padded = x_Bnm.new_zeros(share, *x_Bnm.shape[1:])
    if len(mine):
        padded[: len(mine)] = function(mine)
    parts = [torch.empty_like(padded) for _ in range(size)]
    distributed.all_gather(parts, padded)
    return torch.cat(parts)[: len(x_Bnm)]
