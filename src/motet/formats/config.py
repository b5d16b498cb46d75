"""The numbers of a model as a transformers configuration (config.json), in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from motet.errors import CheckpointError
from motet.formats.fields import Fields
from motet.formats.hyperparameters import Architecture, Hyperparameters, Shapes, check_numbers
from motet.formats.names import EMBEDDING, HEAD

ATTENTION, CONV = "full_attention", "conv"
MODEL_TYPES = {
    "lfm2_moe": Architecture.LFM2_MOE,
    "lfm2": Architecture.LFM2,
    "qwen3": Architecture.QWEN3,
    "llama": Architecture.LLAMA,
}
_CLASSES = {
    Architecture.LFM2_MOE: "Lfm2MoeForCausalLM",
    Architecture.LFM2: "Lfm2ForCausalLM",
    Architecture.QWEN3: "Qwen3ForCausalLM",
    Architecture.LLAMA: "LlamaForCausalLM",
}
_THETA = {Architecture.LFM2_MOE: 1e6, Architecture.LFM2: 1e6}  # where a config states none
_QWEN3_HEAD_WIDTH = 128
_ONLY: dict[str, float | str] = {  # what a GGUF file has no place for
    "hidden_act": "silu",
    "conv_bias": False,
    "attention_bias": False,
    "mlp_bias": False,
    "use_sliding_window": False,
    "use_expert_bias": True,
    "norm_topk_prob": True,
    "routed_scaling_factor": 1.0,
}


def is_tied(config: Mapping[str, Any]) -> bool:
    """Whether the head is the token embedding; a missing key means what transformers takes."""
    default = config.get("tie_embedding", str(config.get("model_type")).startswith("lfm2"))
    return config.get("tie_word_embeddings", default) is True


def from_config(config: Mapping[str, Any], found: Shapes, where: str) -> Hyperparameters:
    """The numbers that a configuration states; CheckpointError if one is missing or unfit.

    found: shapes of the model's tensors under their GGUF names. They say what V and F are: the
    configuration of a dense LFM2 may state another F and let it be adjusted.
    """
    architecture = MODEL_TYPES.get(str(config.get("model_type")))
    if architecture is None:
        raise CheckpointError(
            f"{where}: model_type", expected=" or ".join(MODEL_TYPES),
            got=repr(config.get("model_type")),
        )  # fmt: skip
    if EMBEDDING not in found or (not is_tied(config) and HEAD not in found):
        raise CheckpointError(f"{where}: tensors", expected="an embedding and a head")
    fields = Fields(config, "", where)
    for key, value in _ONLY.items():
        fields.require(key, value)
    width, num_heads = fields.integer("hidden_size"), fields.integer("num_attention_heads")
    num_kv_heads = fields.integer("num_key_value_heads", default=num_heads)
    num_layers = fields.integer("num_hidden_layers", most=65535)
    layers = _layer_types(config, num_layers, architecture, fields)
    is_moe = architecture is Architecture.LFM2_MOE
    has_conv = is_moe or architecture is Architecture.LFM2
    numbers = Hyperparameters(
        architecture=architecture,
        vocab_size=found[EMBEDDING][0],
        context_rows=fields.integer("max_position_embeddings"),
        width=width,
        num_heads=num_heads,
        head_width=_head_width(fields, architecture, width // num_heads),
        num_kv_heads=tuple(num_kv_heads if kind == ATTENTION else 0 for kind in layers),
        ffn_width=_ffn_width(found, fields),
        norm_eps=fields.number("norm_eps" if has_conv else "rms_norm_eps"),
        rope_theta=_rope_theta(config, architecture, where),
        conv_width=fields.integer("conv_L_cache", most=64) if has_conv else 0,
        num_dense_layers=fields.integer("num_dense_layers", 0, num_layers)
        if is_moe
        else num_layers,
        num_experts=fields.integer("num_experts", most=65535) if is_moe else 0,
        num_active_experts=fields.integer("num_experts_per_tok", most=65535) if is_moe else 0,
        expert_width=fields.integer("moe_intermediate_size") if is_moe else 0,
    )
    check_numbers(numbers, where)
    return numbers


def to_config(numbers: Hyperparameters, *, tied: bool, end: int | None) -> dict[str, Any]:
    """The same numbers as a transformers configuration. end: the token that ends a text."""
    architecture = numbers.architecture
    G = max(numbers.num_kv_heads)
    config: dict[str, Any] = {
        "architectures": [_CLASSES[architecture]],
        "model_type": next(key for key, value in MODEL_TYPES.items() if value is architecture),
        "vocab_size": numbers.vocab_size,
        "hidden_size": numbers.width,
        "intermediate_size": numbers.ffn_width,
        "num_hidden_layers": numbers.num_layers,
        "num_attention_heads": numbers.num_heads,
        "num_key_value_heads": G,
        "max_position_embeddings": numbers.context_rows,
        "norm_eps" if numbers.has_conv else "rms_norm_eps": _short(numbers.norm_eps),
        "rope_parameters": {"rope_type": "default", "rope_theta": _short(numbers.rope_theta)},
        "tie_word_embeddings": tied,
        "bos_token_id": None,
        "eos_token_id": end,
        "pad_token_id": None,
    }
    if numbers.has_conv:
        layers = [ATTENTION if G else CONV for G in numbers.num_kv_heads]
        config |= {"conv_L_cache": numbers.conv_width, "conv_bias": False, "layer_types": layers}
    else:
        config |= {"head_dim": numbers.head_width, "hidden_act": "silu", "attention_bias": False}
    if architecture is Architecture.LFM2:
        config["block_auto_adjust_ff_dim"] = False
    if architecture is Architecture.LFM2_MOE:
        config |= {
            "num_dense_layers": numbers.num_dense_layers,
            "num_experts": numbers.num_experts,
            "num_experts_per_tok": numbers.num_active_experts,
            "moe_intermediate_size": numbers.expert_width,
            "use_expert_bias": True,
            "norm_topk_prob": True,
            "routed_scaling_factor": 1.0,
        }
    return config


def _layer_types(
    config: Mapping[str, Any], num_layers: int, architecture: Architecture, fields: Fields
) -> list[str]:
    """`full_attention` or `conv` for each layer."""
    has_conv = architecture in (Architecture.LFM2, Architecture.LFM2_MOE)
    layers, indices = config.get("layer_types"), config.get("full_attn_idxs")
    if layers is None and has_conv and isinstance(indices, list):
        layers = [ATTENTION if i in indices else CONV for i in range(num_layers)]
    if layers is None and not has_conv:
        layers = [ATTENTION] * num_layers
    kinds = (ATTENTION, CONV) if has_conv else (ATTENTION,)
    if (
        not isinstance(layers, list)
        or len(layers) != num_layers
        or set(map(str, layers)) - {*kinds}
    ):
        raise fields.error("layer_types", f"{num_layers} of {' or '.join(kinds)}", layers)
    return layers


def _head_width(fields: Fields, architecture: Architecture, usual: int) -> int:
    if architecture in (Architecture.LFM2, Architecture.LFM2_MOE):
        return usual
    if architecture is Architecture.QWEN3:
        return fields.integer("head_dim", default=_QWEN3_HEAD_WIDTH)
    return fields.integer("head_dim", default=usual)


def _ffn_width(found: Shapes, fields: Fields) -> int:
    shape = found.get("blk.0.ffn_gate.weight")
    return fields.integer("intermediate_size") if shape is None else shape[0]


def _rope_theta(config: Mapping[str, Any], architecture: Architecture, where: str) -> float:
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise CheckpointError(f"{where}: rope_parameters", expected="an object", got=repr(rope))
    fields = Fields(rope, "", f"{where}: rope_parameters")
    fields.require("rope_type", "default")
    fields.require("type", "default")
    fields.require("partial_rotary_factor", 1.0)
    usual = Fields(config, "", where).number("rope_theta", default=_THETA.get(architecture, 1e4))
    return fields.number("rope_theta", default=usual)


def _short(number: float) -> float:
    """1e-05 instead of what float32 makes of it."""
    return float(str(np.float32(number)))
