"""A training run on disk: everything that the next step depends on, written whole or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from motet.errors import CheckpointError
from motet.train.tiny.batches import Position

__all__ = ["Progress", "load_checkpoint", "save_checkpoint"]


@dataclass(frozen=True, slots=True)
class Progress:
    """num_steps taken, num_cells trained on (padding included), seconds spent, the next batch."""

    num_steps: int = 0
    num_cells: int = 0
    seconds_s: float = 0.0
    position: Position = field(default_factory=Position)


def save_checkpoint(
    path: Path, model: nn.Module, optimizers: Sequence[Optimizer], progress: Progress
) -> None:
    """Replace `path` in one move."""
    content = {
        "model": model.state_dict(),
        "optimizers": [optimizer.state_dict() for optimizer in optimizers],
        "progress": asdict(progress),
        "rng": torch.get_rng_state(),
    }
    partial = path.with_suffix(".partial")
    torch.save(content, partial)
    partial.replace(path)


def load_checkpoint(path: Path, model: nn.Module, optimizers: Sequence[Optimizer] = ()) -> Progress:
    """Fill `model` (and `optimizers`, if given) in place, and torch's generator with them."""
    try:
        content = torch.load(path, weights_only=True)
        model.load_state_dict(content["model"])
        progress = dict(content["progress"])
    except (OSError, RuntimeError, KeyError, EOFError) as error:
        raise CheckpointError(str(path), expected="a checkpoint of this model", got=error) from None
    if optimizers:
        for optimizer, state in zip(optimizers, content["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        torch.set_rng_state(content["rng"])
    return Progress(**(progress | {"position": Position(**progress["position"])}))
