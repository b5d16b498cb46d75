"""Tiny random model directories of the four architectures, and what PyTorch computes with them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import LlamaConfig, LlamaForCausalLM

from motet.formats.directory import read_directory
from motet.formats.tensors import WEIGHTS_FILE
from motet.runtime.torch import MultiStreamModel
from motet.runtime.torch.checkpoint import load_model
from tests.checkpoint.directories import (
    SHAPE,
    VOCAB_SIZE,
    dense_model,
    drawn,
    moe_model,
    qwen_model,
    write_own,
    write_published,
    write_stock,
)

__all__ = [
    "STOCK", "VOCAB_SIZE", "WEIGHTS_FILE", "grid_logits", "random_grid", "stock_logits",
    "write_own", "write_published", "write_stock",
]  # fmt: skip


def llama_model() -> Any:
    return drawn(LlamaForCausalLM(LlamaConfig(**SHAPE)))


STOCK: dict[str, Callable[[], Any]] = {
    "lfm2moe": moe_model,
    "lfm2": dense_model,
    "qwen3": qwen_model,
    "llama": llama_model,
}


def stock_logits(base: Any, tokens: list[int]) -> NDArray[np.float32]:
    """[T, V] of an ordinary causal model."""
    with torch.no_grad():
        logits: NDArray[np.float32] = base(torch.tensor([tokens])).logits[0].float().numpy()
    return logits


def random_grid(num_rows: int, num_channels: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, VOCAB_SIZE, (num_rows, num_channels))


def grid_logits(directory: Path) -> NDArray[np.float32]:
    """Logits [R, C, V] of a random grid, by the torch runtime."""
    model: MultiStreamModel = load_model(read_directory(directory))
    grid = random_grid(8, model.layout.num_channels)
    with torch.no_grad():
        logits: NDArray[np.float32] = model(torch.from_numpy(grid)[None])[0].numpy()
    return logits


def change_config(directory: Path, **changes: object) -> Path:
    """Set keys of config.json, or remove those that are set to `...`."""
    path = directory / "config.json"
    config = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps({k: v for k, v in config.items() if v is not ...}), "utf-8")
    return directory
