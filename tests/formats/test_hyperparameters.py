"""The numbers of a model survive every way of writing them, and what would be lost is refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.errors import CheckpointError
from motet.formats.config import from_config, to_config
from motet.formats.directory import read_directory
from motet.formats.header import Value
from motet.formats.hyperparameters import Hyperparameters, check_shapes
from motet.formats.metadata import read_hyperparameters, write_hyperparameters
from motet.formats.tensors import read_tensors

Shapes = dict[str, tuple[int, ...]]
WHERE = "model"


def described(directory: Path) -> tuple[dict[str, Any], Shapes]:
    found = read_directory(directory)
    return found.config, {tensor.name: tensor.shape for tensor in read_tensors(found)}


def metadata_of(numbers: Hyperparameters) -> dict[str, Value]:
    return {
        "general.architecture": numbers.architecture.value,
        **write_hyperparameters(numbers),
    }


def test_config_and_metadata_say_the_same(directory: Path) -> None:
    config, shapes = described(directory)
    numbers = from_config(config, shapes, WHERE)
    assert read_hyperparameters(metadata_of(numbers), shapes, WHERE) == numbers
    again = to_config(numbers, tied="output.weight" not in shapes, end=1)
    assert from_config(again, shapes, WHERE) == numbers
    assert again["model_type"] == config["model_type"]
    if config["architectures"]:
        assert again["architectures"] == config["architectures"]


def test_what_the_numbers_are(folder: Path) -> None:
    config, shapes = described(folder / "own")
    numbers = from_config(config, shapes, WHERE)
    assert numbers == Hyperparameters(
        architecture=numbers.architecture, vocab_size=264, context_rows=1024, width=32,
        num_heads=4, head_width=8, num_kv_heads=(0, 2, 0, 2), ffn_width=48, norm_eps=1e-5,
        rope_theta=numbers.rope_theta, conv_width=3, num_dense_layers=1, num_experts=8,
        num_active_experts=2, expert_width=16,
    )  # fmt: skip
    assert numbers.architecture == "lfm2moe"
    assert [numbers.has_experts(layer) for layer in range(4)] == [False, True, True, True]


def test_a_dense_lfm2_may_adjust_its_width(folder: Path) -> None:
    """Its config says 48, its tensors 256."""
    config, shapes = described(folder / "lfm2")
    numbers = from_config(config, shapes, WHERE)
    assert (config["intermediate_size"], numbers.ffn_width) == (48, 256)
    assert to_config(numbers, tied=True, end=None)["block_auto_adjust_ff_dim"] is False


def test_shapes_are_those_of_the_tensors(directory: Path) -> None:
    config, shapes = described(directory)
    numbers = from_config(config, shapes, WHERE)
    extra = {"output.weight", "channel_embd.weight"}
    assert numbers.shapes() == {k: v for k, v in shapes.items() if k not in extra}
    check_shapes(numbers, shapes, 3 if directory.name == "own" else 4, WHERE)


def test_every_tensor_is_needed_and_none_may_come_on_top(stock: Path) -> None:
    config, shapes = described(stock)
    numbers = from_config(config, shapes, WHERE)
    for name in numbers.shapes():
        fewer = {k: v for k, v in shapes.items() if k != name}
        with pytest.raises(CheckpointError, match=f"missing: {name}"):
            check_shapes(numbers, fewer, 1, WHERE)
        other = {**shapes, name: (*shapes[name][:-1], shapes[name][-1] + 1)}
        with pytest.raises(CheckpointError, match="expected shape"):
            check_shapes(numbers, other, 1, WHERE)
    for name in ("blk.0.attn_q.bias", "blk.4.attn_norm.weight", "anything"):
        with pytest.raises(CheckpointError, match=f"unexpected: {name}"):
            check_shapes(numbers, {**shapes, name: (32,)}, 1, WHERE)


def test_what_may_come_on_top(folder: Path) -> None:
    config, shapes = described(folder / "llama")
    numbers = from_config(config, shapes, WHERE)
    check_shapes(numbers, {**shapes, "rope_freqs.weight": (4,)}, 1, WHERE)
    check_shapes(numbers, {**shapes, "channel_embd.weight": (5, 32)}, 5, WHERE)
    with pytest.raises(CheckpointError, match="channel_embd"):
        check_shapes(numbers, {**shapes, "channel_embd.weight": (4, 32)}, 5, WHERE)
    config, shapes = described(folder / "qwen3")
    numbers = from_config(config, shapes, WHERE)
    with pytest.raises(CheckpointError, match="rope_freqs"):
        check_shapes(numbers, {**shapes, "rope_freqs.weight": (4,)}, 1, WHERE)


def changed(values: Mapping[str, Any], **changes: object) -> dict[str, Any]:
    return {k: v for k, v in {**values, **changes}.items() if v is not ...}


CONFIGS: dict[str, tuple[str, dict[str, object]]] = {
    "an unknown architecture": ("lfm2", {"model_type": "mamba"}),
    "no architecture": ("lfm2", {"model_type": ...}),
    "a width in words": ("lfm2", {"hidden_size": "32"}),
    "a width of true": ("lfm2", {"hidden_size": True}),
    "no layers": ("lfm2", {"num_hidden_layers": 0}),
    "endless layers": ("lfm2", {"num_hidden_layers": 10**9}),
    "no heads": ("lfm2", {"num_attention_heads": ...}),
    "heads that are not shared evenly": ("lfm2", {"num_key_value_heads": 3}),
    "odd heads": ("llama", {"head_dim": 7}),
    "no kinds of layers": ("lfm2", {"layer_types": ...}),
    "too few kinds of layers": ("lfm2", {"layer_types": ["conv"]}),
    "a sliding window": ("qwen3", {"layer_types": ["sliding_attention"] * 4}),
    "another sliding window": ("qwen3", {"use_sliding_window": True}),
    "conv in an architecture without": ("qwen3", {"layer_types": ["conv"] * 4}),
    "no attention at all": ("lfm2", {"layer_types": ["conv"] * 4}),
    "a bias of the conv": ("lfm2", {"conv_bias": True}),
    "a bias of attention": ("llama", {"attention_bias": True}),
    "a bias of the feed-forward": ("llama", {"mlp_bias": True}),
    "another activation": ("llama", {"hidden_act": "gelu"}),
    "experts without bias": ("lfm2moe", {"use_expert_bias": False}),
    "weights of experts as they are": ("lfm2moe", {"norm_topk_prob": False}),
    "a scale of experts": ("lfm2moe", {"routed_scaling_factor": 2.5}),
    "more active experts than there are": ("lfm2moe", {"num_experts_per_tok": 9}),
    "no norm epsilon": ("llama", {"rms_norm_eps": ...}),
    "a negative norm epsilon": ("llama", {"rms_norm_eps": -1e-5}),
    "an infinite theta": ("llama", {"rope_parameters": {"rope_theta": float("inf")}}),
    "a scaled RoPE": (
        "llama", {"rope_parameters": {"rope_type": "llama3", "factor": 8.0, "rope_theta": 5e5}},
    ),
    "an old scaled RoPE": ("llama", {"rope_parameters": ..., "rope_scaling": {"type": "linear"}}),
    "half a RoPE": ("llama", {"rope_parameters": {"partial_rotary_factor": 0.5}}),
    "a RoPE for each layer": ("llama", {"rope_parameters": ["default"]}),
}  # fmt: skip


@pytest.mark.parametrize(("name", "changes"), CONFIGS.values(), ids=CONFIGS)
def test_refuses_a_config(name: str, changes: dict[str, object], folder: Path) -> None:
    config, shapes = described(folder / name)
    with pytest.raises(CheckpointError, match=r"^model[:,] "):
        from_config(changed(config, **changes), shapes, WHERE)


def test_missing_keys_mean_what_transformers_takes(folder: Path) -> None:
    config, shapes = described(folder / "llama")
    numbers = from_config(config, shapes, WHERE)
    short = changed(config, rope_parameters=..., head_dim=..., layer_types=..., hidden_act=...)
    assert from_config(short, shapes, WHERE) == replace(numbers, rope_theta=1e4)
    old = changed(short, rope_theta=12345.0, rope_scaling=None)
    assert from_config(old, shapes, WHERE).rope_theta == 12345.0
    every = from_config(changed(config, num_key_value_heads=...), shapes, WHERE)
    assert set(every.num_kv_heads) == {4}

    config, shapes = described(folder / "lfm2")
    numbers = from_config(config, shapes, WHERE)
    indices = changed(config, layer_types=..., full_attn_idxs=[1, 3], rope_parameters=...)
    assert from_config(indices, shapes, WHERE) == replace(numbers, rope_theta=1e6)


METADATA: dict[str, tuple[str, str, Value | None]] = {
    "another architecture": ("lfm2", "general.architecture", "mamba"),
    "an architecture that is a number": ("lfm2", "general.architecture", 3),
    "no layers": ("lfm2", "lfm2.block_count", None),
    "layers in words": ("lfm2", "lfm2.block_count", "4"),
    "endless layers": ("lfm2", "lfm2.block_count", 2**32 - 1),
    "a width of 0": ("lfm2", "lfm2.embedding_length", 0),
    "widths that differ": ("lfm2", "lfm2.feed_forward_length", np.array([1, 2, 3, 4])),
    "no widths": ("lfm2", "lfm2.feed_forward_length", np.array([], np.int32)),
    "KV heads for other layers": ("lfm2", "lfm2.attention.head_count_kv", np.array([0, 2])),
    "KV heads below 0": ("lfm2", "lfm2.attention.head_count_kv", np.array([0, -2, 0, 2])),
    "KV heads in fractions": ("lfm2", "lfm2.attention.head_count_kv", np.array([0, 2.5, 0, 2])),
    "KV heads in words": ("lfm2", "lfm2.attention.head_count_kv", ["0", "2", "0", "2"]),
    "values of another width": ("llama", "llama.attention.value_length", 4),
    "part of a head turned": ("llama", "llama.rope.dimension_count", 4),
    "a scaled RoPE": ("llama", "llama.rope.scaling.type", "yarn"),
    "a list of RoPEs": ("llama", "llama.rope.scaling.type", ["none"]),
    "a RoPE factor": ("llama", "llama.rope.scaling.factor", 4.0),
    "factors": ("llama", "llama.rope.scaling.factor", np.array([1.0, 2.0])),
    "a scale of attention": ("llama", "llama.attention.scale", 0.5),
    "experts": ("llama", "llama.expert_count", 8),
    "another gate": ("lfm2moe", "lfm2moe.expert_gating_func", 1),
    "a scale of experts": ("lfm2moe", "lfm2moe.expert_weights_scale", 2.5),
    "more dense layers than layers": ("lfm2moe", "lfm2moe.leading_dense_block_count", 5),
    "no active experts": ("lfm2moe", "lfm2moe.expert_used_count", None),
    "no norm epsilon": ("llama", "llama.attention.layer_norm_rms_epsilon", None),
    "an epsilon that is no number": (
        "llama", "llama.attention.layer_norm_rms_epsilon", float("nan"),
    ),
    "a theta of 0": ("llama", "llama.rope.freq_base", 0.0),
    "no conv": ("lfm2", "lfm2.shortconv.l_cache", None),
}  # fmt: skip


@pytest.mark.parametrize(("name", "key", "value"), METADATA.values(), ids=METADATA)
def test_refuses_metadata(name: str, key: str, value: Value | None, folder: Path) -> None:
    config, shapes = described(folder / name)
    metadata = metadata_of(from_config(config, shapes, WHERE))
    if value is None:
        del metadata[key]
    else:
        metadata[key] = value
    what = "architecture" if key.startswith("general") else key
    with pytest.raises(CheckpointError, match=rf"^model: {what}: expected "):
        read_hyperparameters(metadata, shapes, WHERE)


def test_metadata_of_other_converters(folder: Path) -> None:
    config, shapes = described(folder / "llama")
    numbers = from_config(config, shapes, WHERE)
    metadata = metadata_of(numbers)
    for key in ("attention.key_length", "attention.value_length", "rope.dimension_count"):
        del metadata[f"llama.{key}"]
    metadata["llama.feed_forward_length"] = np.array([48] * 4, np.int32)
    metadata["llama.attention.head_count_kv"] = np.array([2] * 4, np.uint32)
    metadata["llama.rope.scaling.type"] = "none"
    assert read_hyperparameters(metadata, shapes, WHERE) == numbers
    del metadata["llama.attention.head_count_kv"]
    assert set(read_hyperparameters(metadata, shapes, WHERE).num_kv_heads) == {4}


def test_an_embedding_that_is_no_matrix(folder: Path) -> None:
    config, shapes = described(folder / "llama")
    metadata = metadata_of(from_config(config, shapes, WHERE))
    for shape in ((), (264,), (1, 264, 32)):
        with pytest.raises(CheckpointError, match="token_embd"):
            read_hyperparameters(metadata, {"token_embd.weight": shape}, WHERE)
