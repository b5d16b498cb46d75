"""What a row costs, read off the shapes of the weights.

A row of C cells reads every dense weight once, the head for the sampled channels, and the experts
that at least one of its cells chose. With A of E experts a cell, chosen independently, the number
of distinct ones is E * (1 - (1 - A/E)^C): 13.2 of 32 for C = 4, A = 4.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cost:
    """Weights in all and per row, and the state a row adds. Parameters are counts, not bytes.

    row_parameters: parameters that one decoded row reads (expected). row_multiply_adds: products
    with weights in one row. distinct_experts: a layer's experts that a row touches (expected).
    kv_values_per_row: numbers that a row adds to the KV cache. conv_values: numbers in the conv
    state of a session.
    """

    parameters: int
    row_parameters: int
    row_multiply_adds: int
    distinct_experts: float
    kv_values_per_row: int
    conv_values: int


def cost_of(
    shapes: Mapping[str, Sequence[int]], config: Mapping[str, Any], C: int, num_sampled: int
) -> Cost:
    """Cost of a model with these tensors and this transformers configuration."""
    experts = config.get("num_experts", 0) or 0
    active = config.get("num_experts_per_tok", 0) or 0
    share = active / experts if experts else 0.0
    distinct = experts * (1.0 - (1.0 - share) ** C)
    total = dense = expert = 0
    head = config["vocab_size"] * config["hidden_size"]
    for key, shape in shapes.items():
        size = math.prod(shape)
        total += size
        if ".experts." in key:
            expert += size
        elif "embed_tokens" not in key and "lm_head" not in key:
            dense += size
    touched = expert * distinct / experts if experts else 0.0
    layer_types = config.get("layer_types") or ["full_attention"] * config["num_hidden_layers"]
    num_conv = list(layer_types).count("conv")
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    kv_width = 2 * config["num_key_value_heads"] * head_dim
    return Cost(
        parameters=total,
        row_parameters=round(dense + head + touched),
        row_multiply_adds=round((dense + expert * share) * C + head * num_sampled),
        distinct_experts=distinct,
        kv_values_per_row=(len(layer_types) - num_conv) * kv_width * C,
        conv_values=num_conv * (config.get("conv_L_cache", 1) - 1) * config["hidden_size"] * C,
    )
