"""A model with random weights in a given shape, and a batch of random conversations for it."""

from __future__ import annotations

import numpy as np
from transformers import AutoConfig, AutoModelForCausalLM

from motet.data.token_grid import TokenGrid
from motet.formats.config import to_config
from motet.formats.hyperparameters import Architecture
from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.batch import Batch
from motet.train.collate import Collator
from motet.train.speed.setting import Setting
from motet.train.start.opening import checkpoint_activations

__all__ = ["random_batch", "random_model"]


def random_model(setting: Setting) -> MultiStreamModel:
    """Fresh weights, drawn from torch's global generator; in float32."""
    fields = to_config(setting.numbers, tied=True, end=None)
    base = AutoModelForCausalLM.from_config(AutoConfig.for_model(**fields))
    if setting.numbers.architecture is Architecture.LFM2_MOE:
        base.set_experts_implementation("grouped_mm")
    if setting.checkpointing:
        checkpoint_activations(base)
    return MultiStreamModel(base, setting.layout)


def random_batch(setting: Setting) -> Batch:
    """Every token as likely as any other."""
    dice = np.random.default_rng(0)
    C, V = setting.layout.num_channels, setting.numbers.vocab_size
    lines = [
        [
            TokenGrid(f"{line}/{number}", dice.integers(0, V, (rows, C), dtype=np.int32))
            for number, rows in enumerate(setting.conversation_rows)
        ]
        for line in range(setting.num_lines)
    ]
    return Collator(setting.layout, visible=False)(lines)
