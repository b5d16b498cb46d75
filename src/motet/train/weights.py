"""What a run has learned, as one safetensors file: strict both ways.

Holds the parameters that learn and the buffers that are kept (the experts' biases). What is frozen
is not written again; it comes from where the run started.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from motet.data.whole import whole_file
from motet.errors import CheckpointError

__all__ = ["LEARNED_FILE", "learned_names", "load_learned", "save_learned"]

LEARNED_FILE = "learned.safetensors"


def learned_names(model: nn.Module) -> list[str]:
    """Parameters that learn, each once, and buffers that a checkpoint holds."""
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    stored = model.state_dict(keep_vars=True)
    return names + [name for name, _ in model.named_buffers() if name in stored]


def save_learned(path: Path, model: nn.Module, state: Mapping[str, Tensor] | None = None) -> None:
    """Write `path`, whole or not at all. state: the tensors, where `model` has only its share."""
    source = model.state_dict() if state is None else state
    tensors = {name: source[name].detach().cpu().contiguous() for name in learned_names(model)}
    with whole_file(path) as file:
        file.write(save(tensors))


@torch.no_grad()
def load_learned(path: Path, model: nn.Module) -> None:
    """Fill `model` in place; CheckpointError unless `path` has exactly what it learns."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(str(path), expected="what a run has learned", got=error) from None
    wanted = set(learned_names(model))
    if wanted != tensors.keys():
        odd = sorted(wanted ^ tensors.keys())
        raise CheckpointError(
            str(path), expected=f"the {len(wanted)} tensors that learn",
            got=f"{len(tensors)}, of which do not fit: {', '.join(odd[:4])}",
        )  # fmt: skip
    targets = model.state_dict()
    for name, tensor in tensors.items():
        if targets[name].shape != tensor.shape:
            raise CheckpointError(
                f"{path}: {name}", expected=f"shape {list(targets[name].shape)}",
                got=list(tensor.shape),
            )  # fmt: skip
        targets[name].copy_(tensor)
