"""Build the model of a run, ready to train."""

from __future__ import annotations

from tokenizers import Tokenizer
from transformers import Lfm2MoeConfig, Lfm2MoeForCausalLM

from motet.data.tiny.conversation import CHANNELS
from motet.data.tiny.tokenizer import END, SILENCE, token_id
from motet.runtime.torch.multistream import MultiStreamModel
from motet.streams.layout import ConvMode, Layout, SpecialToken
from motet.train.tiny.config import ModelConfig

__all__ = ["build_model", "layout_of"]

_LAYER_TYPES = {"c": "conv", "a": "full_attention"}


def layout_of(tokenizer: Tokenizer) -> Layout:
    """The four channels, with the control tokens of `tokenizer`."""
    silence, end = (SpecialToken(token_id(tokenizer, text), text) for text in (SILENCE, END))
    return Layout(CHANNELS, silence, end, ConvMode.COLUMN, channel_embedding=True)


def build_model(config: ModelConfig, tokenizer: Tokenizer) -> MultiStreamModel:
    """A model with fresh weights, drawn from torch's global generator."""
    layout = layout_of(tokenizer)
    assert layout.end is not None
    base_config = Lfm2MoeConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=config.width,
        intermediate_size=config.dense_width,
        moe_intermediate_size=config.expert_width,
        num_hidden_layers=len(config.layers),
        layer_types=[_LAYER_TYPES[letter] for letter in config.layers],
        num_attention_heads=config.num_heads,
        num_key_value_heads=config.num_kv_heads,
        num_dense_layers=config.num_dense_layers,
        num_experts=config.num_experts,
        num_experts_per_tok=config.num_active_experts,
        max_position_embeddings=config.max_rows,
        rope_parameters={"rope_type": "default", "rope_theta": config.rope_theta},
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=layout.end.id,
    )
    base = Lfm2MoeForCausalLM(base_config)
    base.set_experts_implementation("grouped_mm")
    return MultiStreamModel(base, layout)
