"""The numbers of a model as the metadata of a GGUF file, in both directions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from motet.errors import CheckpointError
from motet.formats.fields import Fields
from motet.formats.header import Value
from motet.formats.hyperparameters import (
    Architecture,
    Hyperparameters,
    Shapes,
    check_numbers,
)
from motet.formats.names import EMBEDDING

_SIGMOID = 2
_SCALES = (  # of other architectures; 0 and 1 both mean that nothing is scaled
    "rope.scaling.factor", "rope.scale_linear", "expert_weights_scale", "attention.scale",
    "logit_scale",
)  # fmt: skip


def read_hyperparameters(
    metadata: Mapping[str, Value], found: Shapes, where: str
) -> Hyperparameters:
    """The numbers that the metadata of a GGUF file state; CheckpointError if one is unfit.

    found: shapes of the file's tensors; the token embedding says what V is.
    """
    name = metadata.get("general.architecture")
    if name not in list(Architecture):
        raise CheckpointError(
            f"{where}: architecture", expected=" or ".join(Architecture), got=repr(name)[:80]
        )
    architecture = Architecture(str(name))
    keys = Fields(metadata, f"{architecture}.", where)
    keys.require("rope.scaling.type", "none")
    for key in _SCALES:
        keys.require(key, 1.0, 0.0)
    num_layers = keys.integer("block_count", most=65535)
    width, num_heads = keys.integer("embedding_length"), keys.integer("attention.head_count")
    head_width = keys.integer("attention.key_length", default=width // num_heads)
    keys.require("attention.value_length", head_width)
    keys.require("rope.dimension_count", head_width)
    if architecture is Architecture.LFM2_MOE:
        keys.require("expert_gating_func", _SIGMOID)
    else:
        keys.require("expert_count", 0)
    is_moe = architecture is Architecture.LFM2_MOE
    has_conv = is_moe or architecture is Architecture.LFM2
    embedding = found.get(EMBEDDING, ())
    if len(embedding) != 2:
        raise CheckpointError(f"{where}: {EMBEDDING}", expected="[V, D]", got=list(embedding))
    numbers = Hyperparameters(
        architecture=architecture,
        vocab_size=embedding[0],
        context_rows=keys.integer("context_length"),
        width=width,
        num_heads=num_heads,
        head_width=head_width,
        num_kv_heads=keys.per_layer("attention.head_count_kv", num_layers, default=num_heads),
        ffn_width=keys.integer("feed_forward_length"),
        norm_eps=keys.number("attention.layer_norm_rms_epsilon"),
        rope_theta=keys.number("rope.freq_base", default=10000.0),
        conv_width=keys.integer("shortconv.l_cache", most=64) if has_conv else 0,
        num_dense_layers=keys.integer("leading_dense_block_count", 0, num_layers)
        if is_moe
        else num_layers,
        num_experts=keys.integer("expert_count", most=65535) if is_moe else 0,
        num_active_experts=keys.integer("expert_used_count", most=65535) if is_moe else 0,
        expert_width=keys.integer("expert_feed_forward_length") if is_moe else 0,
    )
    check_numbers(numbers, where)
    return numbers


def write_hyperparameters(numbers: Hyperparameters) -> dict[str, Value]:
    """The same numbers as metadata, complete enough for llama.cpp."""
    G = numbers.num_kv_heads
    values: dict[str, Value] = {
        "block_count": numbers.num_layers,
        "context_length": numbers.context_rows,
        "embedding_length": numbers.width,
        "feed_forward_length": numbers.ffn_width,
        "vocab_size": numbers.vocab_size,
        "attention.head_count": numbers.num_heads,
        "attention.head_count_kv": G[0] if len(set(G)) == 1 else np.array(G, "<i4"),
        "attention.key_length": numbers.head_width,
        "attention.value_length": numbers.head_width,
        "attention.layer_norm_rms_epsilon": numbers.norm_eps,
        "rope.dimension_count": numbers.head_width,
        "rope.freq_base": numbers.rope_theta,
    }
    if numbers.has_conv:
        values["shortconv.l_cache"] = numbers.conv_width
    if numbers.architecture is Architecture.LFM2_MOE:
        values |= {
            "leading_dense_block_count": numbers.num_dense_layers,
            "expert_count": numbers.num_experts,
            "expert_used_count": numbers.num_active_experts,
            "expert_feed_forward_length": numbers.expert_width,
            "expert_gating_func": _SIGMOID,
        }
    return {f"{numbers.architecture}.{key}": value for key, value in values.items()}
