"""Several processes of one thread each that train one model together.

On a CPU the operations of a small model are too short to split between threads; halving the batch
instead costs one exchange a step. Every member holds the whole model, sums its gradients with the
others' and takes the same step. A team of one needs no other process.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

__all__ = ["Team", "run_as_team"]


@dataclass(frozen=True, slots=True)
class Team:
    """This process is member `rank` of `size`."""

    rank: int = 0
    size: int = 1

    def sum_in_place(self, tensors: Iterable[Tensor]) -> None:
        """Replace each float32 tensor by its sum over the team, in one exchange."""
        if self.size == 1:
            return
        tensors = list(tensors)
        flat = torch.cat([tensor.detach().flatten() for tensor in tensors])
        distributed.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
            tensor.detach().copy_(part.view_as(tensor))

    def map_rows(self, function: Callable[[Tensor], Tensor], x_BN: Tensor) -> Tensor:
        """`function` of x, [B, ...] -> [B, ...], each member doing its share of the rows."""
        if self.size == 1:
            return function(x_BN)
        share = -(-len(x_BN) // self.size)
        mine = x_BN[self.rank * share : (self.rank + 1) * share]
        padded = x_BN.new_zeros(share, *x_BN.shape[1:])
        if len(mine):
            padded[: len(mine)] = function(mine)
        parts = [torch.empty_like(padded) for _ in range(self.size)]
        distributed.all_gather(parts, padded)
        return torch.cat(parts)[: len(x_BN)]


def run_as_team(size: int, function: Callable[..., None], *arguments: Any) -> None:
    """Call function(team, *arguments) in `size` processes and wait for all of them."""
    if size == 1:
        function(Team(), *arguments)
        return
    with tempfile.TemporaryDirectory() as folder:
        spawn(_member, (size, Path(folder) / "meeting", function, arguments), nprocs=size)


def _member(
    rank: int, size: int, meeting: Path, function: Callable[..., None], arguments: tuple[Any, ...]
) -> None:
    torch.set_num_threads(1)
    _stay_on_one_core(rank, size)
    distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=size)
    try:
        function(Team(rank, size), *arguments)
    finally:
        distributed.destroy_process_group()


def _stay_on_one_core(rank: int, size: int) -> None:
    """Keep two members from sharing a core while another stands idle; Linux only."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) >= size:
            os.sched_setaffinity(0, {cores[rank]})
