"""A model of given sizes with random weights."""

from __future__ import annotations

from typing import Any

from transformers import (
    Lfm2Config,
    Lfm2ForCausalLM,
    Lfm2MoeConfig,
    Lfm2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from motet.formats.config import ATTENTION, CONV
from motet.runtime.torch.multistream import MultiStreamModel
from motet.train.config.model import NewModelConfig
from motet.train.start.vocabulary import Vocabulary

__all__ = ["new_model"]

_LAYERS = {"c": CONV, "a": ATTENTION}


def new_model(config: NewModelConfig, vocabulary: Vocabulary) -> MultiStreamModel:
    """Fresh weights, drawn from torch's global generator."""
    end = vocabulary.layout.end
    shared: dict[str, Any] = {
        "vocab_size": vocabulary.size,
        "hidden_size": config.width,
        "intermediate_size": config.dense_width,
        "num_hidden_layers": len(config.layers),
        "layer_types": [_LAYERS[letter] for letter in config.layers],
        "num_attention_heads": config.num_heads,
        "num_key_value_heads": config.num_kv_heads,
        "max_position_embeddings": config.max_rows,
        "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
        "pad_token_id": None,
        "bos_token_id": None,
        "eos_token_id": None if end is None else end.id,
        "tie_word_embeddings": True,
    }
    base: Any
    if config.architecture == "lfm2_moe":
        base = Lfm2MoeForCausalLM(
            Lfm2MoeConfig(
                **shared,
                moe_intermediate_size=config.expert_width,
                num_dense_layers=config.num_dense_layers,
                num_experts=config.num_experts,
                num_experts_per_tok=config.num_active_experts,
            )
        )
        base.set_experts_implementation("grouped_mm")
    elif config.architecture == "lfm2":
        base = Lfm2ForCausalLM(Lfm2Config(**shared, block_auto_adjust_ff_dim=False))
    else:
        head_width = config.width // config.num_heads
        base = Qwen3ForCausalLM(Qwen3Config(**shared, head_dim=head_width))
    return MultiStreamModel(base, vocabulary.layout)
