"""Models known by their shape alone, to be measured with random weights.

Speed does not depend on what the weights are, only on how many there are and how they are stored.
Numbers are those of the models' published configurations (model cards of LFM2 and LFM2.5 by
Liquid AI); `tests/bench/test_shape.py` holds them against the published parameter counts.
"""

from __future__ import annotations

from collections.abc import Collection

from motet.errors import BenchError
from motet.formats.hyperparameters import Architecture, Hyperparameters


def _lfm2(
    *,
    width: int,
    num_layers: int,
    attention_at: Collection[int],
    ffn_width: int,
    vocab_size: int = 65_536,
    rope_theta: float = 1e6,
    context_rows: int = 128_000,
) -> Hyperparameters:
    """A dense LFM2: heads 64 wide, 8 KV heads, short conv of width 3."""
    return Hyperparameters(
        architecture=Architecture.LFM2,
        vocab_size=vocab_size,
        context_rows=context_rows,
        width=width,
        num_heads=width // 64,
        head_width=64,
        num_kv_heads=tuple(8 if layer in attention_at else 0 for layer in range(num_layers)),
        ffn_width=ffn_width,
        norm_eps=1e-5,
        rope_theta=rope_theta,
        conv_width=3,
        num_dense_layers=num_layers,
    )


_SIXTEEN = (2, 5, 8, 10, 12, 14)  # the attention layers of the shapes with 16 layers

SHAPES = {
    "lfm2.5-8b-a1b": Hyperparameters(
        architecture=Architecture.LFM2_MOE,
        vocab_size=128_000,
        context_rows=128_000,
        width=2048,
        num_heads=32,
        head_width=64,
        num_kv_heads=tuple(8 if i in (2, 6, 10, 14, 18, 21) else 0 for i in range(24)),
        ffn_width=7168,
        norm_eps=1e-5,
        rope_theta=5e6,
        conv_width=3,
        num_dense_layers=2,
        num_experts=32,
        num_active_experts=4,
        expert_width=1792,
    ),
    "lfm2-350m": _lfm2(width=1024, num_layers=16, attention_at=_SIXTEEN, ffn_width=4608),
    "lfm2-700m": _lfm2(width=1536, num_layers=16, attention_at=_SIXTEEN, ffn_width=6912),
    "lfm2-1.2b": _lfm2(width=2048, num_layers=16, attention_at=_SIXTEEN, ffn_width=8192),
    "lfm2.5-2.6b": _lfm2(
        width=2048, num_layers=30, attention_at=(2, 5, 9, 13, 17, 21, 24, 27), ffn_width=10_752,
        vocab_size=128_000, rope_theta=1e7,
    ),
}  # fmt: skip


def shape_named(name: str) -> Hyperparameters:
    """The shape called `name`; BenchError if none is."""
    if name not in SHAPES:
        raise BenchError("--shape", expected=" or ".join(SHAPES), got=repr(name))
    return SHAPES[name]
