"""A file becomes a directory again that PyTorch and transformers read, with the same numbers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from motet.errors import CheckpointError
from motet.formats import restore as module
from motet.formats.convert import convert
from motet.formats.dequantize import read_rows
from motet.formats.directory import Kind, read_directory
from motet.formats.gguf import read_gguf
from motet.formats.quantize import Quant
from motet.formats.restore import Stored, num_weight_bytes, restore
from motet.streams.codec import StreamCodec
from tests.formats.models import STOCK, WEIGHTS_FILE, grid_logits, stock_logits
from tests.formats.vocabularies import TEXTS, byte_level, write_model

TOKENS = list(range(2, 26))


def there_and_back(directory: Path, folder: Path, quant: Quant, stored: Stored) -> Path:
    file, target = folder / f"{quant}.gguf", folder / f"{quant}-{stored}"
    if not file.exists():
        convert(directory, file, quant)
    restore(file, target, stored)
    return target


def test_nothing_is_lost(directory: Path, tmp_path: Path) -> None:
    back = there_and_back(directory, tmp_path, Quant.F32, Stored.F32)
    before, after = load_file(directory / WEIGHTS_FILE), load_file(back / WEIGHTS_FILE)
    if directory.name not in ("qwen3", "llama"):
        before.pop("lm_head.weight", None)
    assert after.keys() == before.keys()
    for key, tensor in before.items():
        assert torch.equal(after[key], tensor), key
    old, new = read_directory(directory), read_directory(back)
    assert new.layout == old.layout
    assert new.sampling == old.sampling
    assert new.kind is (Kind.STOCK if old.kind is Kind.STOCK else Kind.OWN)
    text = "\n".join(TEXTS)
    if new.kind is Kind.OWN:
        codecs = [StreamCodec.load(d, new.layout) for d in (directory, back)]
        assert codecs[0].encode(text) == codecs[1].encode(text)


@pytest.mark.parametrize("name", ["own", "published"])
def test_the_torch_runtime_computes_the_same(name: str, folder: Path, tmp_path: Path) -> None:
    back = there_and_back(folder / name, tmp_path, Quant.F32, Stored.F32)
    np.testing.assert_array_equal(grid_logits(back), grid_logits(folder / name))


def test_transformers_computes_the_same(stock: Path, tmp_path: Path) -> None:
    back = there_and_back(stock, tmp_path, Quant.F32, Stored.F32)
    model = AutoModelForCausalLM.from_pretrained(back)
    np.testing.assert_array_equal(
        stock_logits(model, TOKENS), stock_logits(STOCK[stock.name](), TOKENS)
    )


def test_half_the_size(folder: Path, tmp_path: Path) -> None:
    back = there_and_back(folder / "own", tmp_path, Quant.F32, Stored.F16)
    expected = load_file(folder / "own" / WEIGHTS_FILE)
    for key, tensor in load_file(back / WEIGHTS_FILE).items():
        assert torch.equal(tensor, expected[key].half()), key
    assert json.loads((back / "config.json").read_text())["dtype"] == "float16"
    difference = np.abs(grid_logits(back) - grid_logits(folder / "own")).max()
    assert 0 < difference < 0.05


@pytest.mark.parametrize("quant", [Quant.Q8_0, Quant.Q4_0, Quant.BF16])
def test_quantised_numbers_come_back_as_what_they_stand_for(
    quant: Quant, folder: Path, tmp_path: Path
) -> None:
    back = there_and_back(folder / "own", tmp_path, quant, Stored.F32)
    model = read_gguf(tmp_path / f"{quant}.gguf")
    got = load_file(back / WEIGHTS_FILE)["model.embed_tokens.weight"].numpy()
    rows = read_rows(model.path, model.tensors["token_embd.weight"])
    np.testing.assert_array_equal(got, np.concatenate(list(rows)))
    before = load_file(folder / "own" / WEIGHTS_FILE)["model.embed_tokens.weight"].numpy()
    assert 0 < np.abs(got - before).max() < 0.01


def test_a_file_of_the_community(tmp_path: Path) -> None:
    """No layout, no tokenizer.json, no sampling: all is built from what llama.cpp reads."""
    metadata = byte_level("llama-bpe") | {"tokenizer.chat_template": "{{ messages }}"}
    file = write_model(tmp_path / "model.gguf", metadata)
    restore(file, tmp_path / "model", Stored.F16)
    found = read_directory(tmp_path / "model")
    assert found.kind is Kind.STOCK
    assert found.layout == read_gguf(file).layout
    assert found.layout.warm_start == ((0,),)
    assert found.sampling == {}
    assert (tmp_path / "model" / "chat_template.jinja").read_text() == "{{ messages }}"
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert (
        tokenizer("Hello world")["input_ids"]
        == read_gguf(file).tokenizer().encode("Hello world").ids
    )
    again = tmp_path / "again.gguf"
    convert(tmp_path / "model", again, Quant.F32)
    assert read_gguf(again).layout == read_gguf(file).layout
    for key in ("tokens", "token_type", "merges", "pre"):
        ours, theirs = (read_gguf(f).metadata[f"tokenizer.ggml.{key}"] for f in (again, file))
        if key == "token_type":  # the tokenizer.json can't say that a token is unused
            assert np.flatnonzero(np.not_equal(ours, theirs)).tolist() == [len(theirs) - 1]
        else:
            assert ours == theirs
    assert read_gguf(again).metadata["tokenizer.chat_template"] == "{{ messages }}"


def test_bytes_are_counted(folder: Path, tmp_path: Path) -> None:
    convert(folder / "own", tmp_path / "model.gguf", Quant.Q4_0)
    counts: list[int] = []
    restore(tmp_path / "model.gguf", tmp_path / "model", Stored.F16, advance=counts.append)
    assert sum(counts) == num_weight_bytes(read_gguf(tmp_path / "model.gguf"), Stored.F16)


def test_a_failure_leaves_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    convert(folder / "own", tmp_path / "model.gguf", Quant.Q4_0)

    def fails(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "float16", fails)
    with pytest.raises(KeyboardInterrupt):
        restore(tmp_path / "model.gguf", tmp_path / "model", Stored.F16)
    assert [path.name for path in tmp_path.iterdir()] == ["model.gguf"]


def test_refusals(folder: Path, tmp_path: Path) -> None:
    file = write_model(tmp_path / "model.gguf", byte_level("llama-bpe"))
    (tmp_path / "there").mkdir()
    for source, target, words in [
        (file, tmp_path / "there", "nothing is yet"),
        (file, tmp_path / "no" / "model", "a folder that exists"),
        (tmp_path / "no.gguf", tmp_path / "model", "no such file"),
        (folder / "own" / "config.json", tmp_path / "model", "magic"),
    ]:
        with pytest.raises(CheckpointError, match=words):
            restore(source, target, Stored.F16)
    assert not (tmp_path / "model").exists()


def test_a_table_of_rope_factors_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "model.gguf", byte_level("llama-bpe"), rope_factors=True)
    assert read_gguf(tmp_path / "model.gguf").hyperparameters
    with pytest.raises(CheckpointError, match="the usual RoPE"):
        restore(tmp_path / "model.gguf", tmp_path / "model", Stored.F16)
