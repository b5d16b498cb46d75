"""A micro run: a model of two layers on small batches."""

from __future__ import annotations

import pytest

from motet.train.tiny.config import DataConfig, ModelConfig, OptimConfig, TrainConfig

MICRO_MODEL = ModelConfig(
    layers="ca", width=16, num_heads=2, num_kv_heads=1, num_dense_layers=1, dense_width=16,
    num_experts=4, num_active_experts=2, expert_width=8,
)  # fmt: skip


@pytest.fixture
def config() -> TrainConfig:
    return TrainConfig(
        num_processes=1,
        log_every_steps=2,
        save_every_steps=100,
        model=MICRO_MODEL,
        data=DataConfig(
            vocab_size=400, num_tokenizer_tasks=100, cells_per_step=800, steps_per_pool=3
        ),
        optim=OptimConfig(num_steps=8, warmup_steps=2, decay_steps=2),
    )
