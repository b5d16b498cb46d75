"""What a row costs, against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.runtime.cost import Cost, cost_of, distinct_experts

# LFM2.5-8B-A1B, from its model card
NUMBERS_8B = Hyperparameters(
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
)


def test_distinct_experts() -> None:
    assert distinct_experts(32, 4, 1) == 4
    assert distinct_experts(32, 4, 4) == pytest.approx(13.24, abs=0.005)  # 32 (1 - (7/8)^4)
    assert distinct_experts(8, 8, 3) == 8
    assert distinct_experts(32, 4, 1000) == pytest.approx(32)


def cost_8b(C: int) -> Cost:
    sizes = {name: math.prod(shape) for name, shape in NUMBERS_8B.shapes().items()}
    halves = {name: (size, 2 * size) for name, size in sizes.items()}
    return cost_of(NUMBERS_8B, halves, C, max(C - 1, 1))


def test_the_8b_model_by_its_published_figures() -> None:
    one, four = cost_8b(1), cost_8b(4)
    assert one.parameters == 8_467_856_832
    assert (one.num_conv_layers, one.num_attention_layers) == (18, 6)
    assert one.kv_values_per_row * 2 == 12_288  # bytes a cell in bfloat16
    assert four.kv_values_per_row * 2 == 4 * 12_288
    assert one.conv_values * 4 == 294_912  # bytes a channel in float32
    assert four.conv_values == 4 * one.conv_values
    assert one.row_parameters == pytest.approx(1.69e9, rel=0.01)  # active, the head included
    assert one.row_multiply_adds == one.row_parameters
    assert four.distinct_experts == pytest.approx(13.2, abs=0.05)


def test_a_4_channel_row_of_the_8b_model_by_hand() -> None:
    D, F, V = 2048, 1792, 128_000
    experts_of_one_token = 22 * 4 * 3 * D * F
    one, four = cost_8b(1), cost_8b(4)
    dense = one.row_parameters - experts_of_one_token - V * D
    more = 32 * (1 - (7 / 8) ** 4) / 4
    assert more == pytest.approx(3.31, abs=0.005)
    assert four.row_parameters == pytest.approx(dense + experts_of_one_token * more + V * D)
    assert four.row_multiply_adds == 4 * (dense + experts_of_one_token) + 3 * V * D


def test_a_small_dense_model_by_hand() -> None:
    numbers = Hyperparameters(
        architecture=Architecture.LFM2,
        vocab_size=10,
        context_rows=8,
        width=4,
        num_heads=4,
        head_width=2,
        num_kv_heads=(1, 0),
        ffn_width=6,
        norm_eps=1e-5,
        rope_theta=1e4,
        conv_width=3,
        num_dense_layers=2,
    )
    attention = 8 * 4 + 2 * 4 + 2 * 4 + 4 * 8 + 2 + 2
    conv = 12 * 4 + 4 * 3 + 4 * 4
    dense = attention + conv + 2 * (3 * 6 * 4) + 2 * 2 * 4 + 4
    shapes = {**numbers.shapes(), "output.weight": (10, 4)}
    sizes = {name: (math.prod(shape), 3 * math.prod(shape)) for name, shape in shapes.items()}
    assert cost_of(numbers, sizes, C=3, num_sampled=2) == Cost(
        parameters=40 + dense + 40,
        weight_bytes=3 * (40 + dense + 40),
        num_attention_layers=1,
        num_conv_layers=1,
        row_parameters=dense + 40,
        row_bytes=3 * (dense + 40),
        row_multiply_adds=3 * dense + 2 * 40,
        distinct_experts=0.0,
        kv_values_per_row=3 * 2 * 2,
        conv_values=3 * 4 * 2,
    )
