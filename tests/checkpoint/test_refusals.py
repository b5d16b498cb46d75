"""Directories that must not open: each a typed error of one line, nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import motet
from motet.errors import (
    CheckpointError,
    LayoutError,
    MotetError,
    SettingError,
    TokenizerError,
)
from motet.formats.tensors import WEIGHTS_FILE
from tests.checkpoint.conftest import Copy
from tests.checkpoint.directories import (
    INDEX_FILE,
    change_json,
    change_tensors,
    embedding,
    shard,
)

Break = Callable[[Path], object]
CHANNELS = "channel_embedding.weight"
LAST_EXPERT = "model.layers.3.feed_forward.experts.7.w2.weight"


def tensors(change: Callable[[dict[str, Any]], object]) -> Break:
    return lambda path: change_tensors(path, change)


def config(**changes: object) -> Break:
    return lambda path: change_json(path, "config.json", **changes)


def layout(**changes: object) -> Break:
    return lambda path: change_json(path, "layout.json", **changes)


def written(name: str, data: bytes | str) -> Break:
    def write(path: Path) -> None:
        (path / name).write_bytes(data.encode() if isinstance(data, str) else data)

    return write


def removed(name: str) -> Break:
    return lambda path: (path / name).unlink()


def cut(name: str, share: float) -> Break:
    def write(path: Path) -> None:
        data = (path / name).read_bytes()
        (path / name).write_bytes(data[: int(len(data) * share)])

    return write


def sharded(then: Break) -> Break:
    def write(path: Path) -> None:
        shard(path)
        then(path)

    return write


def index(weight_map: Any) -> Break:
    return written(INDEX_FILE, json.dumps({"weight_map": weight_map}))


def tokenizer(**changes: object) -> Break:
    return lambda path: change_json(path, "tokenizer.json", **changes)


def without_bytes(path: Path) -> None:
    """A tokenizer that knows no bytes at all, so that " -" has no token."""
    data = json.loads((path / "tokenizer.json").read_text("utf-8"))
    data["model"]["vocab"], data["model"]["merges"] = {"<silence>": 0, "<end>": 1}, []
    (path / "tokenizer.json").write_text(json.dumps(data), "utf-8")


def without_dash(path: Path) -> None:
    """A tokenizer where " -" takes two tokens."""
    data = json.loads((path / "tokenizer.json").read_text("utf-8"))
    data["model"]["merges"] = [m for m in data["model"]["merges"] if "-" not in m]
    (path / "tokenizer.json").write_text(json.dumps(data), "utf-8")


def larger_tokenizer(path: Path) -> None:
    data = json.loads((path / "tokenizer.json").read_text("utf-8"))
    data["model"]["vocab"] |= {f"word{i}": 260 + i for i in range(10)}
    (path / "tokenizer.json").write_text(json.dumps(data), "utf-8")


FOUR_ROLES = [
    {"name": "User", "role": "input"}, {"name": "Output", "role": "output"},
    {"name": "Think", "role": "thought"}, {"name": "Plan", "role": "thought"},
]  # fmt: skip
NOT_SAFETENSORS = b"\x00" * 64

BROKEN: list[tuple[str, str, Break, type[MotetError], str]] = [
    # channel embedding
    ("published", "embedding missing", tensors(lambda t: t.pop(CHANNELS)),
     CheckpointError, "channel embedding: expected one tensor of shape"),
    ("published", "embedding ambiguous",
     tensors(lambda t: t.update({"model.stream_embed.weight": embedding(4)})),
     CheckpointError, "got channel_embedding.weight, model.stream_embed.weight"),
    ("published", "embedding of 3", tensors(lambda t: t.update({CHANNELS: embedding(3)})),
     CheckpointError, "channel embedding"),
    ("published", "embedding transposed",
     tensors(lambda t: t.update({CHANNELS: embedding(4).T.contiguous()})),
     CheckpointError, "channel embedding"),
    ("published", "embedding unnamed",
     tensors(lambda t: t.update({"extra.weight": t.pop(CHANNELS)})),
     CheckpointError, "channel embedding"),
    ("own", "embedding missing", tensors(lambda t: t.pop(CHANNELS)),
     CheckpointError, "channel embedding"),
    ("own", "embedding not in the layout", layout(channel_embedding=False),
     CheckpointError, "unexpected: channel_embedding.weight"),
    ("stock", "embedding in a stock model",
     tensors(lambda t: t.update({CHANNELS: embedding(4)})),
     CheckpointError, "unexpected: channel_embedding.weight"),
    # tensors
    ("published", "tensor missing", tensors(lambda t: t.pop("model.embedding_norm.weight")),
     CheckpointError, "missing: model.embedding_norm.weight"),
    ("own", "tensor missing",
     tensors(lambda t: t.pop("model.layers.1.self_attn.q_proj.weight")),
     CheckpointError, "missing: model.layers.1.self_attn.q_proj.weight"),
    ("stock", "tensor unexpected",
     tensors(lambda t: t.update({"model.layers.9.ffn_norm.weight": torch.ones(32)})),
     CheckpointError, "unexpected: model.layers.9.ffn_norm.weight"),
    ("stock", "conv missing", tensors(lambda t: t.pop("model.layers.0.conv.conv.weight")),
     CheckpointError, "missing: model.layers.0.conv.conv.weight"),
    ("stock", "wrong shape",
     tensors(lambda t: t.update({"model.embedding_norm.weight": torch.ones(31)})),
     CheckpointError, "of another shape: model.embedding_norm.weight"),
    ("published", "expert missing", tensors(lambda t: t.pop(LAST_EXPERT)),
     CheckpointError, "expert"),
    ("published", "expert of another shape",
     tensors(lambda t: t.update({LAST_EXPERT: torch.ones(32, 15)})),
     CheckpointError, "expert"),
    ("published", "expert too many",
     tensors(lambda t: t.update({LAST_EXPERT.replace("7", "8"): torch.ones(32, 16)})),
     CheckpointError, "expert"),
    ("published", "no tensors at all", tensors(lambda t: t.clear()),
     CheckpointError, "channel embedding"),
    ("stock", "no tensors at all", tensors(lambda t: t.clear()),
     CheckpointError, "missing"),
    # weight files
    ("own", "weights cut", cut(WEIGHTS_FILE, 0.7), CheckpointError, "whole safetensors file"),
    ("published", "weights cut", cut(WEIGHTS_FILE, 0.99),
     CheckpointError, "whole safetensors file"),
    ("stock", "weights cut in the header", cut(WEIGHTS_FILE, 0.001),
     CheckpointError, "whole safetensors file"),
    ("stock", "weights empty", written(WEIGHTS_FILE, b""),
     CheckpointError, "whole safetensors file"),
    ("stock", "weights alien", written(WEIGHTS_FILE, NOT_SAFETENSORS),
     CheckpointError, "whole safetensors file"),
    ("own", "weights missing", removed(WEIGHTS_FILE), CheckpointError, "weights: expected"),
    ("stock", "shard missing", sharded(removed("model-00002-of-00003.safetensors")),
     CheckpointError, "model-00002-of-00003.safetensors"),
    ("published", "shard cut", sharded(cut("model-00003-of-00003.safetensors", 0.5)),
     CheckpointError, "whole safetensors file"),
    ("stock", "index broken", sharded(written(INDEX_FILE, "{")), CheckpointError, "weight index"),
    ("stock", "index not text", sharded(written(INDEX_FILE, b"\xff\xfe{")),
     CheckpointError, "weight index"),
    ("stock", "index without a map", sharded(written(INDEX_FILE, "{}")),
     CheckpointError, "weight index"),
    ("stock", "index a list", sharded(written(INDEX_FILE, "[]")),
     CheckpointError, "weight index"),
    ("stock", "index of numbers", sharded(index({"a": 5})), CheckpointError, "weight index"),
    ("stock", "index of lists", sharded(index({"a": []})), CheckpointError, "weight index"),
    ("stock", "index of nothing", sharded(index({})), CheckpointError, "."),
    ("stock", "index of no file", sharded(index({"a": "../../stock/config.json"})),
     CheckpointError, "."),
    # config.json
    ("own", "config missing", removed("config.json"), CheckpointError, "no such file"),
    ("own", "config broken", written("config.json", '{"model_type": '),
     CheckpointError, "config.json: expected JSON"),
    ("own", "config not text", written("config.json", b"\xff\xfe\x00"),
     CheckpointError, "config.json: expected JSON"),
    ("own", "config a list", written("config.json", "[1]"),
     CheckpointError, "config.json: expected a JSON object, got list"),
    ("stock", "config empty", written("config.json", "{}"), CheckpointError, "model type"),
    ("stock", "alien model type", config(model_type="llama"),
     CheckpointError, "model type: expected lfm2_moe or lfm2 or qwen3, got 'llama'"),
    ("published", "alien model type", config(model_type="gpt2"),
     CheckpointError, "model type"),
    ("own", "model type a number", config(model_type=7), CheckpointError, "model type"),
    ("stock", "model type a list", config(model_type=["lfm2"]), CheckpointError, "model type"),
    ("stock", "more layers than tensors", config(num_hidden_layers=5), CheckpointError, "."),
    ("stock", "a size of text", config(hidden_size="wide"), CheckpointError, "."),
    ("stock", "a size of nothing", config(hidden_size=None), CheckpointError, "."),
    ("stock", "a size of zero", config(num_attention_heads=0), CheckpointError, "."),
    ("stock", "another size", config(hidden_size=64), CheckpointError, "."),
    ("stock", "fewer experts", config(num_experts=4), CheckpointError, "."),
    ("stock", "more experts", config(num_experts=16), CheckpointError, "."),
    ("stock", "unknown layers", config(layer_types=["mamba"] * 4), CheckpointError, "."),
    ("stock", "layers of another kind", config(layer_types=["conv"] * 4), CheckpointError, "."),
    ("stock", "too few layer types", config(layer_types=["conv"]), CheckpointError, "."),
    ("published", "layer types nothing", config(layer_types=None), MotetError, "."),
    # channels of a published config
    ("published", "names without number", config(num_channels=...),
     LayoutError, "channel_names: expected num_channels = None names"),
    ("published", "number without names", config(channel_names=...),
     LayoutError, "channel_names: expected num_channels = 4 names"),
    ("published", "too few names", config(channel_names=["User", "Output"]),
     LayoutError, "channel_names: expected num_channels = 4 names"),
    ("published", "names of numbers", config(channel_names=[1, 2, 3, 4]), LayoutError, "channel"),
    ("published", "names in text", config(channel_names="User"), LayoutError, "channel_names"),
    ("published", "the same name twice",
     config(channel_names=["User", "Output", "Think", "Think"]), LayoutError, "channel names"),
    ("published", "nobody speaks", config(channel_names=["User", "A", "B", "C"]),
     LayoutError, "exactly one output channel"),
    ("published", "nobody is heard", config(channel_names=["A", "Output", "B", "C"]),
     LayoutError, "an input channel"),
    ("published", "unknown conv mode", config(conv_mode="diagonal"),
     LayoutError, "conv_mode: expected column or row_boundary, got 'diagonal'"),
    # layout.json
    ("own", "layout too wide", layout(channels=FOUR_ROLES), CheckpointError, "channel embedding"),
    ("own", "layout too narrow", layout(channels=FOUR_ROLES[:2]),
     CheckpointError, "channel embedding"),
    ("own", "layout broken", written("layout.json", "{,}"),
     LayoutError, "layout.json: expected JSON"),
    ("own", "layout of unknown keys", layout(lanes=3), LayoutError, r"unknown \['lanes'\]"),
    ("own", "layout without version", layout(version=...), LayoutError, r"missing \['version'\]"),
    ("own", "layout of the future", layout(version=2), LayoutError, "version: expected 1, got 2"),
    ("own", "warm start of another width", layout(warm_start=[[0, 0]]),
     LayoutError, "warm-start row: expected 3 tokens, got 2"),
    # tokenizer.json
    ("own", "tokenizer missing", removed("tokenizer.json"),
     TokenizerError, "tokenizer file: expected .*tokenizer.json, got no such file"),
    ("published", "tokenizer missing", removed("tokenizer.json"), TokenizerError, "no such file"),
    ("stock", "tokenizer missing", removed("tokenizer.json"), TokenizerError, "no such file"),
    ("own", "tokenizer broken", written("tokenizer.json", "{}"),
     TokenizerError, "expected a tokenizer file"),
    ("stock", "tokenizer cut", cut("tokenizer.json", 0.5),
     TokenizerError, "expected a tokenizer file"),
    ("own", "no silence token", layout(silence={"id": 0, "text": "<quiet>"}),
     TokenizerError, "silence token 0: expected '<quiet>', got '<silence>'"),
    ("own", "silence elsewhere", layout(silence={"id": 5, "text": "<silence>"}),
     TokenizerError, "silence token 5: expected '<silence>'"),
    ("own", "silence beyond the vocabulary", layout(silence={"id": 9999, "text": "<silence>"}),
     TokenizerError, "silence token 9999"),
    ("own", "no end token", layout(end={"id": 9999, "text": "<end>"}),
     TokenizerError, "end token 9999: expected '<end>', got 'no such id'"),
    ("published", "no token for silence", without_dash,
     TokenizerError, "silence token .*: expected ' -', got ' '"),
    ("published", "no bytes at all", without_bytes, TokenizerError, "."),
    ("own", "no bytes at all", without_bytes, TokenizerError, "."),
    ("own", "more tokens than the model", larger_tokenizer,
     CheckpointError, "tokenizer: expected at most 264 tokens, got 270"),
    ("own", "a normalizer that changes text", tokenizer(normalizer={"type": "Lowercase"}),
     TokenizerError, "expected no normalizer, got Lowercase"),
    ("own", "a tokenizer of words", tokenizer(decoder=None), TokenizerError, "byte-level BPE"),
    # generation_config.json
    ("stock", "sampling broken", written("generation_config.json", "{"),
     CheckpointError, "generation_config.json: expected JSON"),
    ("stock", "sampling impossible", written("generation_config.json", '{"top_p": 7}'),
     SettingError, "top_p: expected float from 0.0 to 1.0, got 7"),
    ("stock", "half a token", written("generation_config.json", '{"top_k": 1.5}'),
     SettingError, "top_k"),
    ("stock", "no number of tokens", written("generation_config.json", '{"top_k": NaN}'),
     SettingError, "top_k"),
    ("stock", "a temperature of true", written("generation_config.json", '{"temperature": true}'),
     SettingError, "temperature"),
]  # fmt: skip


@pytest.mark.parametrize("runtime", ["torch", "native"])
@pytest.mark.parametrize(
    ("kind", "break_it", "error", "message"),
    [(kind, break_it, error, message) for kind, _, break_it, error, message in BROKEN],
    ids=[f"{kind}: {what}" for kind, what, *_ in BROKEN],
)
def test_a_broken_directory(
    copy_of: Copy,
    kind: str,
    break_it: Break,
    error: type[MotetError],
    message: str,
    runtime: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The messages are those of the torch runtime; the native one calls tensors by other names."""
    path = copy_of(kind)
    break_it(path)
    with pytest.raises(error, match=message if runtime == "torch" else ".") as raised:
        motet.load(path, runtime=runtime)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
    assert len(str(raised.value)) < 1500
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["own", "published", "stock"])
def test_an_unbroken_copy_opens(copy_of: Copy, kind: str) -> None:
    """Otherwise the table above would prove nothing."""
    assert motet.load(copy_of(kind)).name == "model"


def test_a_name_that_names_nothing(tmp_path: Path) -> None:
    for name in ("nowhere/at/all", "", "motet-huge", str(tmp_path / "none"), "\x00"):
        with pytest.raises(CheckpointError) as raised:
            motet.load(name)
        assert "\n" not in str(raised.value)
    file = tmp_path / "file"
    file.write_text("not a model")
    with pytest.raises(CheckpointError, match="GGUF"):
        motet.load(file)
    with pytest.raises(CheckpointError, match=r"expected .*config.json, got no such file"):
        motet.load(tmp_path)


@pytest.mark.parametrize(
    "choice",
    [
        {"runtime": "onnx"},
        {"dtype": "int3"},
        {"conv_mode": "row"},
        {"runtime": ""},
        {"cache": "f64"},
    ],
)
def test_an_unknown_choice(originals: dict[str, Path], choice: dict[str, str]) -> None:
    with pytest.raises(SettingError, match="load: expected a known runtime, dtype, conv mode and"):
        motet.load(originals["own"], **choice)
