"""A converted file holds what the directory held, in the types that were asked for."""

from __future__ import annotations

import json
import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from transformers import Lfm2MoeConfig, Lfm2MoeForCausalLM

from motet.errors import CheckpointError, MotetError, TokenizerError
from motet.formats import convert as module
from motet.formats.chat import read_chat_format
from motet.formats.convert import convert, plan
from motet.formats.directory import Kind, read_directory
from motet.formats.ends import ENDS_KEY
from motet.formats.gguf import read_gguf
from motet.formats.quantize import Quant, quantized
from motet.formats.restore import Stored, restore
from motet.formats.tensors import read_tensors
from motet.streams.codec import read_tokenizer
from tests.checkpoint.directories import change_json, change_tensors, drawn, write_tokenizer
from tests.formats.llama_cpp import RefusedError, logits_of, needs_llama_cpp
from tests.formats.models import STOCK, WEIGHTS_FILE, stock_logits

# the same sums in another order, over four layers; measured up to 2e-5
LLAMA_CPP = 1e-4
TOKENS = np.random.default_rng(0).integers(0, 264, 24).tolist()
TYPES = {
    Quant.F32: {"F32"}, Quant.F16: {"F16", "F32"}, Quant.BF16: {"BF16", "F32"},
    Quant.Q8_0: {"Q8_0", "F16", "F32"}, Quant.Q4_0: {"Q4_0", "Q8_0", "F16", "F32"},
}  # fmt: skip


@needs_llama_cpp
def test_llama_cpp_computes_the_same(stock: Path, tmp_path: Path) -> None:
    convert(stock, tmp_path / "model.gguf", Quant.F32)
    got, expected = (
        logits_of(tmp_path / "model.gguf", TOKENS),
        stock_logits(STOCK[stock.name](), TOKENS),
    )
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(got, expected, rtol=0, atol=LLAMA_CPP)


@needs_llama_cpp
def test_llama_cpp_refuses_several_channels(folder: Path, tmp_path: Path) -> None:
    """It could only read them as something that they are not."""
    convert(folder / "own", tmp_path / "model.gguf", Quant.F32)
    with pytest.raises(RefusedError):
        logits_of(tmp_path / "model.gguf", TOKENS)


def numbers_in(path: Path) -> dict[str, NDArray[np.float32]]:
    """As gguf-py reads them."""
    return {
        t.name: gguf.dequantize(t.data, t.tensor_type).reshape(t.shape[::-1])
        for t in gguf.GGUFReader(path).tensors
    }


def test_every_number_is_written(directory: Path, tmp_path: Path) -> None:
    convert(directory, tmp_path / "model.gguf", Quant.F32)
    got = numbers_in(tmp_path / "model.gguf")
    tensors = read_tensors(read_directory(directory))
    assert list(got) == [tensor.name for tensor in tensors]
    for tensor in tensors:
        expected = np.concatenate(list(tensor.chunks())).reshape(tensor.shape)
        np.testing.assert_array_equal(got[tensor.name], expected, tensor.name)


def test_the_file_says_what_the_directory_says(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "model").symlink_to(directory)
    found = read_directory(tmp_path / "model")
    convert(tmp_path / "model", tmp_path / "model.gguf", Quant.Q8_0)
    model = read_gguf(tmp_path / "model.gguf")
    assert model.layout == found.layout
    assert ("motet.layout" in model.metadata) == (found.kind is not Kind.STOCK)
    assert model.sampling == found.sampling
    assert model.hyperparameters.vocab_size == 264
    assert model.metadata["general.file_type"] == 7
    tokenizer = read_tokenizer(directory / "tokenizer.json")
    assert model.tokenizer().to_str() == tokenizer.to_str()


@pytest.mark.parametrize("quant", TYPES)
def test_types(quant: Quant, folder: Path, tmp_path: Path) -> None:
    convert(folder / "own", tmp_path / "model.gguf", quant)
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / "model.gguf").tensors}
    assert set(kinds.values()) == TYPES[quant]
    kept = (
        "norm.weight",
        "bias",
        "shortconv.conv.weight",
        "ffn_gate_inp.weight",
        "channel_embd.weight",
    )
    for name, kind in kinds.items():
        assert (kind == "F32") == (quant is Quant.F32 or name.endswith(kept)), name
    assert kinds["blk.1.ffn_gate_exps.weight"] == quant.name
    if quant is Quant.Q4_0:
        assert kinds["token_embd.weight"] == "Q8_0"
        assert kinds["blk.1.ffn_down_exps.weight"] == "F16"  # rows of 16


def test_wide_rows_and_the_embedding(tmp_path: Path) -> None:
    directory = wide(tmp_path / "wide")
    for quant, embedding, expected in [
        (Quant.Q4_K, None, ("Q4_K", "Q6_K")), (Quant.Q5_K, None, ("Q5_K", "Q6_K")),
        (Quant.Q6_K, None, ("Q6_K", "Q6_K")), (Quant.Q4_0, Quant.Q4_0, ("Q4_0", "Q4_0")),
        (Quant.Q4_K, Quant.F16, ("Q4_K", "F16")), (Quant.IQ4_XS, None, ("IQ4_XS", "Q6_K")),
    ]:  # fmt: skip
        conversion = plan(read_directory(directory), quant, embedding=embedding)
        kinds = {tensor.name: tensor.type.name for tensor in conversion.tensors}
        got = kinds["blk.0.shortconv.in_proj.weight"], kinds["token_embd.weight"]
        assert got == expected
        assert kinds["blk.0.ffn_down.weight"] == "F16"  # rows of 48
        narrow = "Q4_0" if quant is Quant.Q4_0 else "Q8_0"
        assert kinds["blk.1.ffn_down_exps.weight"] == narrow  # rows of 32


def wide(directory: Path) -> Path:
    """Rows of 256, of 48 and of 32."""
    directory.mkdir()
    config = Lfm2MoeConfig(
        vocab_size=264, hidden_size=256, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, layer_types=["conv", "full_attention"],
        num_dense_layers=1, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    drawn(Lfm2MoeForCausalLM(config)).save_pretrained(directory)
    write_tokenizer(directory)
    return directory


@pytest.mark.parametrize("quant", [q for q in Quant if q not in (Quant.F32, Quant.F16)])
def test_blocks_are_those_of_ggml(quant: Quant) -> None:
    """gguf-py quantises some types itself and reads all; threads and chunks make no difference."""
    rows = np.random.default_rng(0).normal(size=(37, 512)).astype(np.float32)
    kind = gguf.GGMLQuantizationType[quant.name]
    blocks = np.concatenate(list(quantized([rows], quant.type, "x")))
    pieces = np.concatenate(list(quantized(np.split(rows, [1, 20]), quant.type, "x")))
    np.testing.assert_array_equal(blocks, pieces)
    try:
        expected = gguf.quantize(rows, kind).view(np.uint8)
    except NotImplementedError:
        back = gguf.dequantize(blocks, kind)
        num_bits = int(quant.name.lstrip("IQ")[0])
        assert np.abs(back - rows).mean() < {4: 0.08, 5: 0.04, 6: 0.02}[num_bits]
    else:
        np.testing.assert_array_equal(blocks, expected.reshape(blocks.shape))


def test_fewer_bytes_need_not_be_less_exact() -> None:
    """Of normally distributed weights IQ4_XS, at 4.25 bits, keeps more than Q4_0 at 4.5."""
    rows = np.random.default_rng(0).normal(size=(64, 2048)).astype(np.float32)
    errors = {}
    for quant in (Quant.Q4_0, Quant.IQ4_XS):
        blocks = np.concatenate(list(quantized([rows], quant.type, "x")))
        back = gguf.dequantize(blocks, gguf.GGMLQuantizationType[quant.name])
        errors[quant] = float(np.sqrt(np.mean((back - rows) ** 2)))
    assert Quant.IQ4_XS.type.num_bytes((2048,)) < Quant.Q4_0.type.num_bytes((2048,))
    assert errors[Quant.IQ4_XS] < 0.9 * errors[Quant.Q4_0]


def test_one_thread_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [np.random.default_rng(0).normal(size=(7, 256)).astype(np.float32)]
    many = next(quantized(rows, Quant.Q4_K.type, "x"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0}, raising=False)
    np.testing.assert_array_equal(next(quantized(rows, Quant.Q4_K.type, "x")), many)


@pytest.mark.parametrize("quant", [Quant.F32, Quant.F16, Quant.Q8_0])
@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_refuses_numbers_that_are_none(quant: Quant, odd: float) -> None:
    rows = np.ones((2, 32), np.float32)
    rows[1, 3] = odd
    with pytest.raises(CheckpointError, match=r"^x: weights: expected finite"):
        list(quantized([rows], quant.type, "x"))


def test_refuses_numbers_too_large_for_f16() -> None:
    rows = np.full((1, 32), 65520.0, np.float32)
    with pytest.raises(CheckpointError, match="convert to bf16"):
        list(quantized([rows], Quant.F16.type, "x"))
    assert len(list(quantized([rows], Quant.BF16.type, "x"))) == 1
    assert len(list(quantized([rows - 32], Quant.F16.type, "x"))) == 1


def test_a_failure_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Iterator[NDArray[Any]]:
        yield np.zeros(1, np.uint8)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "quantized", fails)
    with pytest.raises(KeyboardInterrupt):
        convert(folder / "lfm2", tmp_path / "model.gguf", Quant.F32)
    assert list(tmp_path.iterdir()) == []


def test_the_file_appears_whole(folder: Path, tmp_path: Path) -> None:
    """Until it is whole it has another name; then it can be read as any new file can."""
    target, seen = tmp_path / "model.gguf", []
    total = plan(read_directory(folder / "lfm2"), Quant.F16).num_bytes
    mask = os.umask(0o022)
    try:
        convert(
            folder / "lfm2", target, Quant.F16,
            advance=lambda count: seen.append((count, target.exists())),
        )  # fmt: skip
    finally:
        os.umask(mask)
    assert sum(count for count, _ in seen) == total
    assert not any(exists for _, exists in seen)
    assert target.stat().st_mode & 0o777 == 0o644
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_refuses_targets(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there.gguf").write_text("mine")
    for target, words in [
        (tmp_path / "there.gguf", "nothing is yet"), (tmp_path, "nothing is yet"),
        (tmp_path / "no" / "model.gguf", "a folder that exists"),
    ]:  # fmt: skip
        with pytest.raises(CheckpointError, match=words):
            convert(folder / "lfm2", target, Quant.F16)
    assert (tmp_path / "there.gguf").read_text() == "mine"
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(CheckpointError, match="room for"):
        convert(folder / "lfm2", tmp_path / "model.gguf", Quant.F16)
    assert [path.name for path in tmp_path.iterdir()] == ["there.gguf"]


def broken_copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder / "lfm2", tmp_path / "broken"))


def test_refuses_directories(folder: Path, tmp_path: Path) -> None:
    broken = broken_copy(folder, tmp_path)
    change_tensors(broken, lambda tensors: tensors.pop("model.layers.0.ffn_norm.weight"))
    with pytest.raises(CheckpointError, match=r"missing: blk\.0\.ffn_norm\.weight"):
        convert(broken, tmp_path / "model.gguf", Quant.F16)
    with pytest.raises(MotetError, match="a path that exists"):
        convert(tmp_path / "nowhere", tmp_path / "model.gguf", Quant.F16)
    assert not (tmp_path / "model.gguf").exists()


def test_refuses_tokenizers(folder: Path, tmp_path: Path) -> None:
    broken = broken_copy(folder, tmp_path)
    settings = json.loads((broken / "tokenizer.json").read_text("utf-8"))
    change_json(broken, "tokenizer.json", decoder={"type": "ByteFallback"})
    with pytest.raises(TokenizerError, match="a byte-level BPE"):
        plan(read_directory(broken), Quant.F16)
    vocab = {**settings["model"]["vocab"], "far": 300}
    change_json(
        broken, "tokenizer.json", **settings | {"model": settings["model"] | {"vocab": vocab}}
    )
    with pytest.raises(TokenizerError, match="ids below 264"):
        plan(read_directory(broken), Quant.F16)


def test_memory_does_not_grow_with_tensors(tmp_path: Path, folder: Path) -> None:
    """Chunks, not tensors: the embedding alone would be twelve of them."""
    big = Path(shutil.copytree(folder / "lfm2", tmp_path / "big"))
    tensors = {k: t.to(torch.bfloat16) for k, t in load_file(big / WEIGHTS_FILE).items()}
    tensors["model.embed_tokens.weight"] = torch.ones(200_000 * 8, 32, dtype=torch.bfloat16)
    save_file(tensors, big / WEIGHTS_FILE)
    del tensors
    tensor = next(t for t in read_tensors(read_directory(big)) if t.name == "token_embd.weight")
    assert 4 * tensor.shape[0] * tensor.shape[1] > 200e6
    tracemalloc.start()
    try:
        count = sum(block.nbytes for block in quantized(tensor.chunks(), Quant.Q4_0.type, "x"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 1_600_000 * 18
    assert peak < 100e6


@pytest.mark.parametrize("ends", [[1], [5, 1], [7, 1, 9, 11], 7])
def test_all_end_tokens_go_along(ends: list[int] | int, folder: Path, tmp_path: Path) -> None:
    """generation_config.json may name several, in any order; the file has the same ones."""
    directory = shutil.copytree(folder / "qwen3", tmp_path / "model")
    file, back = tmp_path / "model.gguf", tmp_path / "back"
    path = directory / "generation_config.json"
    path.write_text(json.dumps({"eos_token_id": ends}), "utf-8")
    stated = {1, *([ends] if isinstance(ends, int) else ends)}  # 1: config.json
    convert(directory, file, Quant.F32)
    restore(file, back, Stored.F32)
    for source in (read_directory(directory), read_gguf(file), read_directory(back)):
        assert read_chat_format(source).end_ids == stated
        assert source.layout.end is not None
        assert source.layout.end.id == 1
    keys = [f"tokenizer.ggml.{key}_token_id" for key in ("eos", "eot", "eom")]
    known = [read_gguf(file).metadata.get(key) for key in keys]  # what llama.cpp reads
    others = [i for i in ([] if isinstance(ends, int) else ends) if i != 1] or sorted(stated - {1})
    assert known == [*[1, *others][:3], *[None] * (2 - len(others))]


def test_several_channels_have_one_end(folder: Path) -> None:
    assert ENDS_KEY not in plan(read_directory(folder / "own"), Quant.F32).metadata
