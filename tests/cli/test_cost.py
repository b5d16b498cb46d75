"""What a row costs, against numbers worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import Lfm2MoeConfig, Lfm2MoeForCausalLM

from motet.errors import CheckpointError
from motet.runtime.cost import Cost, cost_of, distinct_experts

# LFM2.5-8B-A1B, from its model card
ATTENTION_LAYERS = (2, 6, 10, 14, 18, 21)
SHAPE_8B = {
    "hidden_size": 2048,
    "num_hidden_layers": 24,
    "vocab_size": 128_000,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 7168,
    "moe_intermediate_size": 1792,
    "num_experts": 32,
    "num_experts_per_tok": 4,
    "num_dense_layers": 2,
}


def test_distinct_experts() -> None:
    assert distinct_experts(32, 4, 1) == 4
    assert distinct_experts(32, 4, 4) == pytest.approx(13.24, abs=0.005)  # 32 (1 - (7/8)^4)
    assert distinct_experts(8, 8, 3) == 8
    assert distinct_experts(32, 4, 1000) == pytest.approx(32)


@pytest.fixture(scope="module")
def shapes_8b() -> dict[str, list[int]]:
    layers = ["full_attention" if i in ATTENTION_LAYERS else "conv" for i in range(24)]
    config = Lfm2MoeConfig(**SHAPE_8B, layer_types=layers)
    with torch.device("meta"):
        model = Lfm2MoeForCausalLM(config)
    tensors = model.state_dict()
    del tensors["lm_head.weight"]  # tied, so a checkpoint does not hold it
    return {key: list(tensor.shape) for key, tensor in tensors.items()}


def cost_8b(shapes: dict[str, list[int]], C: int) -> Cost:
    return cost_of(shapes, SHAPE_8B, C, max(C - 1, 1))


def test_the_8b_model_by_its_published_figures(shapes_8b: dict[str, list[int]]) -> None:
    one, four = cost_8b(shapes_8b, 1), cost_8b(shapes_8b, 4)
    assert one.parameters == 8_467_856_832
    assert (one.num_conv_layers, one.num_attention_layers) == (18, 6)
    assert one.kv_values_per_row * 2 == 12_288  # bytes a cell in bfloat16
    assert four.kv_values_per_row * 2 == 4 * 12_288
    assert one.conv_values * 4 == 294_912  # bytes a channel in float32
    assert four.conv_values == 4 * one.conv_values
    assert one.row_parameters == pytest.approx(1.69e9, rel=0.01)  # active, the head included
    assert one.row_multiply_adds == one.row_parameters
    assert four.distinct_experts == pytest.approx(13.2, abs=0.05)


def test_a_4_channel_row_of_the_8b_model_by_hand(shapes_8b: dict[str, list[int]]) -> None:
    D, F, V = 2048, 1792, 128_000
    experts_of_one_token = 22 * 4 * 3 * D * F
    one, four = cost_8b(shapes_8b, 1), cost_8b(shapes_8b, 4)
    dense = one.row_parameters - experts_of_one_token - V * D
    more = 32 * (1 - (7 / 8) ** 4) / 4
    assert more == pytest.approx(3.31, abs=0.005)
    assert four.row_parameters == pytest.approx(dense + experts_of_one_token * more + V * D)
    assert four.row_multiply_adds == 4 * (dense + experts_of_one_token) + 3 * V * D


def test_a_small_dense_model_by_hand() -> None:
    shapes = {
        "model.embed_tokens.weight": [10, 4],
        "model.layers.0.self_attn.q_proj.weight": [8, 4],
        "model.layers.0.self_attn.k_proj.weight": [2, 4],
        "model.layers.0.self_attn.v_proj.weight": [2, 4],
        "model.layers.0.self_attn.o_proj.weight": [4, 8],
        "model.layers.1.conv.conv.weight": [4, 1, 3],
        "model.layers.1.feed_forward.w1.weight": [6, 4],
        "lm_head.weight": [10, 4],
    }
    dense = 32 + 8 + 8 + 32 + 12 + 24
    assert cost_of(shapes, {}, C=3, num_sampled=2) == Cost(
        parameters=40 + dense + 40,
        num_attention_layers=1,
        num_conv_layers=1,
        row_parameters=dense + 40,
        row_multiply_adds=3 * dense + 2 * 40,
        distinct_experts=0.0,
        kv_values_per_row=3 * 2 * 2,
        conv_values=3 * 4 * 2,
    )


@pytest.mark.parametrize("active", [None, 0, 33, "4", True])
def test_experts_nobody_can_count_are_refused(shapes_8b: dict[str, list[int]], active: Any) -> None:
    with pytest.raises(CheckpointError, match="num_experts_per_tok: expected 1 to 32"):
        cost_of(shapes_8b, {"num_experts_per_tok": active}, 4, 3)


def test_other_tensors_are_refused() -> None:
    with pytest.raises(CheckpointError, match="tensors: expected one embed_tokens"):
        cost_of({"transformer.wte.weight": [10, 4]}, {}, 1, 1)
