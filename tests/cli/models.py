"""Tiny random models on disk: our own format, the published 4-channel format, and stock."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import Lfm2MoeConfig, Lfm2MoeForCausalLM, Qwen3Config, Qwen3ForCausalLM

from motet.formats.tensors import WEIGHTS_FILE
from motet.runtime.torch.checkpoint import save_model
from motet.runtime.torch.multistream import MultiStreamModel
from motet.streams.codec import TOKENIZER_FILE
from motet.streams.layout import Channel, ConvMode, Layout, Role, SpecialToken
from tests.streams.bpe import byte_level_bpe

VOCAB_SIZE = 400
CONTEXT_ROWS = 600
SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT_ROWS,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 1,
}
HYBRID = ["conv", "full_attention", "conv", "full_attention"]
THREE = (
    Channel("User", Role.INPUT),
    Channel("Output", Role.OUTPUT),
    Channel("Think", Role.THOUGHT),
)
FOUR = ["User", "Output", "Think", "Skeptical"]


def lfm2_moe(layer_types: list[str] | None = None) -> Any:
    """A random stock model with experts."""
    layers = HYBRID if layer_types is None else layer_types
    config = Lfm2MoeConfig(
        **SHAPE, num_hidden_layers=len(layers), layer_types=layers, moe_intermediate_size=16,
        num_experts=8, num_experts_per_tok=2, num_dense_layers=1,
    )  # fmt: skip
    return _drawn(Lfm2MoeForCausalLM(config))


def own_layout(
    channels: tuple[Channel, ...] = THREE, conv_mode: ConvMode = ConvMode.COLUMN
) -> Layout:
    """Silence and end are tokens of their own."""
    return Layout(
        channels, SpecialToken(0, "<silence>"), SpecialToken(1, "<end>"), conv_mode,
        channel_embedding=True,
    )  # fmt: skip


def write_own(directory: Path, layout: Layout | None = None) -> Path:
    """A model directory in our own format."""
    model = MultiStreamModel(lfm2_moe(), own_layout() if layout is None else layout)
    assert model.channel_embedding is not None
    _draw(model.channel_embedding.weight)
    save_model(model, directory)
    return _with_tokenizer(directory)


def write_published(directory: Path) -> Path:
    """A transformers checkpoint with channel names and a channel embedding."""
    lfm2_moe().save_pretrained(directory)
    config = json.loads((directory / "config.json").read_text("utf-8"))
    config |= {"num_channels": 4, "channel_names": FOUR}
    (directory / "config.json").write_text(json.dumps(config), "utf-8")
    tensors = load_file(directory / WEIGHTS_FILE)
    tensors["model.channel_embedding.weight"] = _draw(torch.empty(4, SHAPE["hidden_size"]))
    save_file(tensors, directory / WEIGHTS_FILE, {"format": "pt"})
    return _with_tokenizer(directory)


def write_stock(directory: Path) -> Path:
    """A Qwen3 without channels: attention only."""
    config = Qwen3Config(**SHAPE, num_hidden_layers=2, head_dim=8, tie_word_embeddings=False)
    _drawn(Qwen3ForCausalLM(config)).save_pretrained(directory)
    return _with_tokenizer(directory)


def tokenizer() -> Tokenizer:
    """The tokenizer of all of them."""
    return byte_level_bpe(vocab_size=VOCAB_SIZE)


def _with_tokenizer(directory: Path) -> Path:
    tokenizer().save(str(directory / TOKENIZER_FILE))
    return directory


def _drawn(model: Any) -> Any:
    for parameter in model.parameters():
        if parameter.ndim > 1:
            _draw(parameter)
    return model.eval()


def _draw(tensor: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(tensor.numel())
    tensor.data.copy_(0.15 * torch.randn(tensor.shape, generator=generator))
    return tensor
