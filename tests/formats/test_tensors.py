"""A directory's tensors come under the names, in the shapes and in the order of GGUF files."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from motet.errors import CheckpointError
from motet.formats.directory import read_directory
from motet.formats.tensors import read_tensors
from tests.checkpoint.directories import INDEX_FILE, Tensors, change_tensors, shard
from tests.formats.models import WEIGHTS_FILE, change_config

Numbers = dict[str, NDArray[np.float32]]


def numbers_of(directory: Path, max_bytes: int = 1000) -> Numbers:
    tensors = {}
    for tensor in read_tensors(read_directory(directory)):
        chunks = list(tensor.chunks(max_bytes))
        width = tensor.shape[-1]
        assert all(chunk.shape[1] == width for chunk in chunks), tensor.name
        assert all(c.nbytes <= max_bytes or len(c) == 1 for c in chunks), tensor.name
        tensors[tensor.name] = np.concatenate(chunks).reshape(tensor.shape)
    return tensors


def copy(directory: Path, target: Path) -> Path:
    return Path(shutil.copytree(directory, target))


def test_names_are_those_of_gguf_py(stock: Path) -> None:
    """gguf-py maps the keys of checkpoints too, independently of us."""
    architecture = next(k for k, v in gguf.MODEL_ARCH_NAMES.items() if v == stock.name)
    names = gguf.get_tensor_name_map(architecture, 4)
    expected = set()
    for key in load_file(stock / WEIGHTS_FILE):
        if key.endswith("expert_bias"):
            expected.add(f"blk.{key.split('.')[2]}.exp_probs_b.bias")
        elif ".experts." in key:
            matrix = {"w1": "gate", "w2": "down", "w3": "up"}[key.split(".")[-2]]
            expected.add(f"blk.{key.split('.')[2]}.ffn_{matrix}_exps.weight")
        else:
            expected.add(f"{names.get_name(key, try_suffixes=('.weight',))}")
    got = {tensor.name for tensor in read_tensors(read_directory(stock))}
    assert got == expected
    known = {name.format(bid=1) for name in gguf.TENSOR_NAMES.values()}
    for name in got:
        stem = name.removesuffix(".weight").removesuffix(".bias")
        assert re.sub(r"^blk\.\d+", "blk.1", stem) in known


def test_every_number_arrives(directory: Path) -> None:
    """As many as there are, with the same sum: nothing twice, nothing left out."""
    stored = {k: t for k, t in load_file(directory / WEIGHTS_FILE).items() if k != "lm_head.weight"}
    if directory.name in ("qwen3", "llama"):
        stored["lm_head.weight"] = load_file(directory / WEIGHTS_FILE)["lm_head.weight"]
    got = numbers_of(directory)
    assert sum(t.numel() for t in stored.values()) == sum(n.size for n in got.values())
    everything = np.sort(np.concatenate([t.float().numpy().ravel() for t in stored.values()]))
    np.testing.assert_array_equal(
        np.sort(np.concatenate([n.ravel() for n in got.values()])), everything
    )


def test_experts_are_stacked_in_order(folder: Path) -> None:
    stored, got = load_file(folder / "published" / WEIGHTS_FILE), numbers_of(folder / "published")
    for matrix, name in [("w1", "gate"), ("w2", "down"), ("w3", "up")]:
        for j, expert in enumerate(got[f"blk.1.ffn_{name}_exps.weight"]):
            key = f"model.layers.1.feed_forward.experts.{j}.{matrix}.weight"
            np.testing.assert_array_equal(expert, stored[key].numpy())


def pack_experts(tensors: Tensors) -> None:
    """As transformers holds them in memory: all experts of a layer in two tensors."""
    for layer in (1, 2, 3):
        stem = f"model.layers.{layer}.feed_forward.experts."
        w1, w2, w3 = (
            torch.stack([tensors.pop(f"{stem}{j}.{matrix}.weight") for j in range(8)])
            for matrix in ("w1", "w2", "w3")
        )
        tensors[f"{stem}gate_up_proj"] = torch.cat([w1, w3], dim=1)
        tensors[f"{stem}down_proj"] = w2


def test_packed_experts_are_the_same(folder: Path, tmp_path: Path) -> None:
    packed = copy(folder / "published", tmp_path / "packed")
    change_tensors(packed, pack_experts)
    assert_same(numbers_of(packed), numbers_of(folder / "published"))


def assert_same(got: Numbers, expected: Numbers) -> None:
    assert list(got) == list(expected)
    for name in expected:
        np.testing.assert_array_equal(got[name], expected[name], name)


def test_shards_and_chunks_make_no_difference(directory: Path, tmp_path: Path) -> None:
    shards = copy(directory, tmp_path / "shards")
    shard(shards)
    assert_same(numbers_of(shards, 1), numbers_of(directory, 1 << 24))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_read(folder: Path, tmp_path: Path, dtype: torch.dtype) -> None:
    half = copy(folder / "own", tmp_path / "half")
    save_file(
        {k: t.to(dtype) for k, t in load_file(half / WEIGHTS_FILE).items()}, half / WEIGHTS_FILE
    )
    stored = {tensor.dtype for tensor in read_tensors(read_directory(half))}
    assert stored == {"F16" if dtype is torch.float16 else "BF16"}
    got = numbers_of(half)
    for name, numbers in numbers_of(folder / "own").items():
        expected = torch.from_numpy(numbers).to(dtype).float().numpy()
        np.testing.assert_array_equal(got[name], expected)


def test_heads_of_llama_are_turned_in_pairs(folder: Path) -> None:
    """transformers turns rows i and i + K/2 of a head together, llama.cpp rows 2i and 2i + 1."""
    stored = load_file(folder / "llama" / WEIGHTS_FILE)
    got = numbers_of(folder / "llama")
    for matrix, heads in [("q", 4), ("k", 2)]:
        rows = stored[f"model.layers.2.self_attn.{matrix}_proj.weight"].numpy()
        turned = got[f"blk.2.attn_{matrix}.weight"].reshape(heads, 4, 2, 32)
        halves = rows.reshape(heads, 2, 4, 32)
        np.testing.assert_array_equal(turned[:, :, 0], halves[:, 0])
        np.testing.assert_array_equal(turned[:, :, 1], halves[:, 1])
    np.testing.assert_array_equal(
        got["blk.2.attn_v.weight"], stored["model.layers.2.self_attn.v_proj.weight"].numpy()
    )


def test_a_tied_head_is_left_out(folder: Path, tmp_path: Path) -> None:
    tied = copy(folder / "qwen3", tmp_path / "tied")
    assert "output.weight" in numbers_of(tied)
    change_config(tied, tie_word_embeddings=True)
    assert "output.weight" not in numbers_of(tied)
    change_config(tied, tie_word_embeddings=...)  # qwen3's own default is not tied
    assert "output.weight" in numbers_of(tied)
    assert "output.weight" not in numbers_of(folder / "lfm2")


def drop(key: str) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.pop(key)


def put(key: str, *shape: int) -> Callable[[Tensors], object]:
    return lambda tensors: tensors.update({key: torch.zeros(shape)})


EXPERTS = "model.layers.1.feed_forward.experts."
BROKEN: dict[str, tuple[Callable[[Tensors], object], str]] = {
    "an unknown tensor": (put("model.layers.0.novelty.weight", 3), "novelty"),
    "an unknown global tensor": (put("model.novelty.weight", 3), "novelty"),
    "a layer that is no number": (put("model.layers.01.ffn_norm.weight", 32), "layers.01"),
    "a missing expert": (drop(f"{EXPERTS}3.w1.weight"), "experts 0 to 6"),
    "an expert of another shape": (put(f"{EXPERTS}3.w1.weight", 8, 32), "of one shape"),
    "an expert that is no matrix": (
        lambda t: [t.update({f"{EXPERTS}{j}.w1.weight": torch.zeros(4)}) for j in range(8)],
        "matrices",
    ),
    "both kinds of experts": (put(f"{EXPERTS}down_proj", 8, 32, 16), "ffn_down_exps"),
    "halves of an odd number": (
        lambda t: (
            [t.pop(f"{EXPERTS}{j}.{w}.weight") for j in range(8) for w in ("w1", "w3")]
            and t.update({f"{EXPERTS}gate_up_proj": torch.zeros(8, 31, 32)})
        ),
        "[E, 2F, D]",
    ),
    "an empty tensor": (put("model.layers.0.ffn_norm.weight", 0), "dimensions"),
    "no channel embedding": (drop("channel_embedding.weight"), "channel embedding"),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN)
def test_refuses(
    change: Callable[[Tensors], object], words: str, folder: Path, tmp_path: Path
) -> None:
    broken = copy(folder / "published", tmp_path / "broken")
    change_tensors(broken, change)
    with pytest.raises(CheckpointError) as refusal:
        read_tensors(read_directory(broken))
    assert words in str(refusal.value)


def test_refuses_files(folder: Path, tmp_path: Path) -> None:
    broken = copy(folder / "lfm2", tmp_path / "broken")
    shard(broken)
    index = json.loads((broken / INDEX_FILE).read_text())
    name = sorted(set(index["weight_map"].values()))[0]
    refusals = {}
    for what, weight_map in {
        "outside": {"a": "../lfm2/model.safetensors"}, "missing": {"a": "b.safetensors"},
        "odd": {"a": 3}, "list": [],
    }.items():  # fmt: skip
        (broken / INDEX_FILE).write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(CheckpointError) as refusal:
            read_tensors(read_directory(broken))
        refusals[what] = str(refusal.value)
    assert "beside it" in refusals["outside"]
    assert "b.safetensors" in refusals["missing"]
    shutil.copy(broken / name, broken / "twin.safetensors")
    twins = {"weight_map": {"a": name, "b": "twin.safetensors"}}
    (broken / INDEX_FILE).write_text(json.dumps(twins))
    with pytest.raises(CheckpointError, match="one file only"):
        read_tensors(read_directory(broken))


def test_refuses_heads_that_do_not_divide(folder: Path, tmp_path: Path) -> None:
    for heads in (0, 5, "4", None):
        broken = copy(folder / "llama", tmp_path / f"{heads}")
        change_config(broken, num_attention_heads=heads)
        with pytest.raises(CheckpointError, match="rows for each head"):
            read_tensors(read_directory(broken))
