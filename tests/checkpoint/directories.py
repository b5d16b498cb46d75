"""Tiny model directories, written tensor by tensor as their authors publish them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    Lfm2Config,
    Lfm2ForCausalLM,
    Lfm2MoeConfig,
    Lfm2MoeForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from motet.formats.tensors import WEIGHTS_FILE
from motet.runtime.torch import MultiStreamModel
from motet.runtime.torch.checkpoint import save_model
from motet.streams import Channel, ConvMode, Layout, Role
from motet.streams.codec import TOKENIZER_FILE
from tests.engine.scripted import OWN, PUBLISHED, byte_tokenizer

VOCAB_SIZE = 264
NUM_EXPERTS = 8
D = 32
INDEX_FILE = f"{WEIGHTS_FILE}.index.json"
NAMES = list(PUBLISHED.names)
LAYER_TYPES = ["conv", "full_attention", "conv", "full_attention"]
SHAPE: dict[str, Any] = {
    "vocab_size": VOCAB_SIZE,
    "hidden_size": D,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 1024,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 1,
}
Tensors = dict[str, Tensor]


def moe_model() -> Any:
    config = Lfm2MoeConfig(
        **SHAPE, layer_types=LAYER_TYPES, num_dense_layers=1, num_experts=NUM_EXPERTS,
        num_experts_per_tok=2, moe_intermediate_size=16,
    )  # fmt: skip
    return drawn(Lfm2MoeForCausalLM(config))


def dense_model() -> Any:
    return drawn(Lfm2ForCausalLM(Lfm2Config(**SHAPE, layer_types=LAYER_TYPES)))


def qwen_model() -> Any:
    return drawn(Qwen3ForCausalLM(Qwen3Config(**SHAPE, head_dim=8, tie_word_embeddings=False)))


def drawn(model: Any) -> Any:
    """The same weights every time, large enough that each of them shows in the logits."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        parameter.data.copy_(0.3 * noise if parameter.ndim > 1 else 1 + 0.2 * noise)
    for name, buffer in model.named_buffers():
        if name.endswith("expert_bias"):
            buffer.copy_(0.3 * torch.randn(buffer.shape, generator=generator))
    return model.eval()


def embedding(num_channels: int) -> Tensor:
    return 0.3 * torch.randn(num_channels, D, generator=torch.Generator().manual_seed(1))


def multistream(layout: Layout, base: Any = None) -> MultiStreamModel:
    """The model that a directory of `layout` must come to."""
    model = MultiStreamModel(moe_model() if base is None else base, layout)
    if model.channel_embedding is not None:
        model.channel_embedding.weight.data.copy_(embedding(layout.num_channels))
    return model.eval()


def as_published(base: Any) -> Tensors:
    """The tensors of an LFM2-MoE under the keys of its checkpoints: one per expert and matrix."""
    tensors: Tensors = {}
    for key, tensor in base.state_dict().items():
        stem = key.removesuffix("gate_up_proj").removesuffix("down_proj")
        if key.endswith("experts.gate_up_proj"):
            for j, gate_up in enumerate(tensor):
                gate, up = gate_up.chunk(2)
                tensors[f"{stem}{j}.w1.weight"] = gate.clone()
                tensors[f"{stem}{j}.w3.weight"] = up.clone()
        elif key.endswith("experts.down_proj"):
            for j, down in enumerate(tensor):
                tensors[f"{stem}{j}.w2.weight"] = down.clone()
        elif key != "lm_head.weight":  # tied
            tensors[key] = tensor.clone()
    return tensors


def write_config(directory: Path, base: Any, **extra: object) -> None:
    config = {**base.config.to_dict(), **extra}
    (directory / "config.json").write_text(json.dumps(config), "utf-8")


def write_tokenizer(directory: Path) -> None:
    byte_tokenizer().save(str(directory / TOKENIZER_FILE))


def write_published(
    directory: Path, key: str = "channel_embedding.weight", num_channels: int = 4
) -> Path:
    """Per-expert keys, channel names in the config, a channel embedding under some key."""
    directory.mkdir()
    base = moe_model()
    tensors = as_published(base) | {key: embedding(num_channels)}
    save_file(tensors, directory / WEIGHTS_FILE, {"format": "pt"})
    write_config(directory, base, num_channels=4, channel_names=NAMES)
    write_tokenizer(directory)
    return directory


def write_own(directory: Path, layout: Layout = OWN) -> Path:
    directory.mkdir()
    save_model(multistream(layout), directory)
    write_tokenizer(directory)
    return directory


def write_stock(directory: Path, base: Any = None) -> Path:
    directory.mkdir()
    (base or moe_model()).save_pretrained(directory)
    write_tokenizer(directory)
    return directory


def shard(directory: Path, num_shards: int = 3) -> None:
    """Split the weights of a directory, as large checkpoints are."""
    tensors = load_file(directory / WEIGHTS_FILE)
    (directory / WEIGHTS_FILE).unlink()
    keys, weight_map = sorted(tensors), {}
    for n in range(num_shards):
        name = f"model-{n + 1:05}-of-{num_shards:05}.safetensors"
        part = {key: tensors[key] for key in keys[n::num_shards]}
        save_file(part, directory / name, {"format": "pt"})
        weight_map |= dict.fromkeys(part, name)
    index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
    (directory / INDEX_FILE).write_text(json.dumps(index), "utf-8")


def change_tensors(directory: Path, change: Callable[[Tensors], object]) -> None:
    tensors = load_file(directory / WEIGHTS_FILE)
    change(tensors)
    save_file(tensors, directory / WEIGHTS_FILE, {"format": "pt"})


def change_json(directory: Path, name: str, **changes: object) -> None:
    """Set keys of a JSON file, or remove those that are set to `...`."""
    path = directory / name
    data = json.loads(path.read_text("utf-8")) | changes
    data = {key: value for key, value in data.items() if value is not ...}
    path.write_text(json.dumps(data), "utf-8")


TWO_CHANNELS = Layout(
    (Channel("User", Role.INPUT), Channel("Output", Role.OUTPUT)),
    OWN.silence, OWN.end, ConvMode.COLUMN, channel_embedding=True,
)  # fmt: skip
