"""A shape small enough to be measured in a test."""

from __future__ import annotations

from motet.formats.hyperparameters import Architecture, Hyperparameters

TINY = Hyperparameters(
    architecture=Architecture.LFM2_MOE,
    vocab_size=320,
    context_rows=512,
    width=64,
    num_heads=4,
    head_width=16,
    num_kv_heads=(0, 2, 0, 2),
    ffn_width=96,
    norm_eps=1e-5,
    rope_theta=1e4,
    conv_width=3,
    num_dense_layers=1,
    num_experts=8,
    num_active_experts=2,
    expert_width=32,
)
