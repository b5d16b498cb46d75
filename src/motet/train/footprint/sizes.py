"""The sizes of a model that starts from random weights, as its configuration states them."""

from __future__ import annotations

from pathlib import Path

from motet.formats.hyperparameters import Architecture, Hyperparameters
from motet.train.config.model import LayoutConfig, NewModelConfig
from motet.train.start.vocabulary import Vocabulary

__all__ = ["sizes_of"]

_ARCHITECTURES = {
    "lfm2_moe": Architecture.LFM2_MOE,
    "lfm2": Architecture.LFM2,
    "qwen3": Architecture.QWEN3,
}
_CONV_WIDTH = 3


def sizes_of(new: NewModelConfig, layout: LayoutConfig) -> Hyperparameters:
    """The numbers of a new model; its tokenizer is read for the size of the vocabulary."""
    has_experts = new.architecture == "lfm2_moe"
    return Hyperparameters(
        architecture=_ARCHITECTURES[new.architecture],
        vocab_size=Vocabulary.of(Path(new.tokenizer), layout).size,
        context_rows=new.max_rows,
        width=new.width,
        num_heads=new.num_heads,
        head_width=new.width // new.num_heads,
        num_kv_heads=tuple(new.num_kv_heads if x == "a" else 0 for x in new.layers),
        ffn_width=new.dense_width,
        norm_eps=1e-5,
        rope_theta=new.rope_theta,
        conv_width=_CONV_WIDTH if "c" in new.layers else 0,
        num_dense_layers=new.num_dense_layers if has_experts else len(new.layers),
        num_experts=new.num_experts if has_experts else 0,
        num_active_experts=new.num_active_experts if has_experts else 0,
        expert_width=new.expert_width if has_experts else 0,
    )
