"""Directories that open: the model in memory equals the one on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import motet
from motet.engine import Sampling, StopReason
from motet.errors import CheckpointError
from motet.formats.directory import Kind, read_directory
from motet.formats.tensors import WEIGHTS_FILE, stored_tensors
from motet.runtime.torch.checkpoint import load_base_for, load_model
from motet.streams import ConvMode, Role
from motet.streams.layout import single_channel
from tests.checkpoint.conftest import Copy
from tests.checkpoint.directories import (
    LAYER_TYPES,
    NAMES,
    NUM_EXPERTS,
    TWO_CHANNELS,
    VOCAB_SIZE,
    change_json,
    change_tensors,
    dense_model,
    moe_model,
    multistream,
    qwen_model,
    shard,
    write_own,
    write_published,
    write_stock,
)
from tests.engine.scripted import OWN, PUBLISHED


def grid(num_channels: int, num_rows: int = 12) -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randint(0, VOCAB_SIZE, (1, num_rows, num_channels), generator=generator)


@torch.inference_mode()
def logits(model: Any, tokens_BRC: torch.Tensor) -> Any:
    return model(tokens_BRC).numpy()


@pytest.mark.parametrize(
    "key",
    [
        "channel_embedding.weight",
        "model.channel_embedding.weight",
        "model.stream_embed.weight",
        "StreamEmbedding.weight",
    ],
)
def test_published(tmp_path: Path, key: str) -> None:
    directory = read_directory(write_published(tmp_path / "model", key))
    keys = stored_tensors(directory.path)
    assert f"model.layers.3.feed_forward.experts.{NUM_EXPERTS - 1}.w2.weight" in keys
    assert not any("gate_up_proj" in k for k in keys)
    assert directory.kind is Kind.PUBLISHED
    assert directory.layout == PUBLISHED
    assert [c.role for c in directory.layout.channels] == [
        Role.INPUT, Role.OUTPUT, Role.THOUGHT, Role.THOUGHT,
    ]  # fmt: skip
    assert not directory.conv_mode_known
    model = load_model(directory)
    expected = logits(multistream(PUBLISHED), grid(4))
    np.testing.assert_array_equal(logits(model, grid(4)), expected)
    assert np.abs(expected).max() > 1


def test_published_talks(originals: dict[str, Path]) -> None:
    engine = motet.load(originals["published"])
    reply = engine.ask("1 - 2", engine.settings(max_rows=25, seed=3))
    assert list(reply.channels) == NAMES
    assert reply.channels["User"] == "1 - 2"
    assert 8 < reply.rows <= 26


def test_conv_mode_of_the_config_or_of_the_caller(copy_of: Copy) -> None:
    path = copy_of("published")
    change_json(path, "config.json", conv_mode="row_boundary")
    directory = read_directory(path)
    assert directory.layout.conv_mode is ConvMode.ROW_BOUNDARY
    assert directory.conv_mode_known
    boundary = logits(load_model(directory), grid(4))
    column = logits(load_model(directory, conv_mode=ConvMode.COLUMN), grid(4))
    np.testing.assert_array_equal(column, logits(multistream(PUBLISHED), grid(4)))
    assert np.abs(boundary - column).max() > 0.1
    assert motet.load(path, conv_mode="column").runtime.layout.conv_mode is ConvMode.COLUMN


def test_own(originals: dict[str, Path]) -> None:
    directory = read_directory(originals["own"])
    assert (directory.kind, directory.layout, directory.name) == (Kind.OWN, OWN, "own")
    assert directory.conv_mode_known
    model = load_model(directory)
    np.testing.assert_array_equal(logits(model, grid(3)), logits(multistream(OWN), grid(3)))


@pytest.mark.parametrize("base", [dense_model, qwen_model])
def test_own_of_other_architectures(tmp_path: Path, base: Any) -> None:
    from motet.runtime.torch.checkpoint import save_model

    model = multistream(TWO_CHANNELS, base())
    expected = logits(model, grid(2))
    save_model(model, tmp_path)
    path = write_stock(tmp_path / "other", base())  # for its tokenizer
    (tmp_path / "tokenizer.json").write_bytes((path / "tokenizer.json").read_bytes())
    np.testing.assert_array_equal(logits(load_model(read_directory(tmp_path)), grid(2)), expected)


def shapes(directory: Path) -> dict[str, tuple[int, ...]]:
    return {key: tensor.shape for key, tensor in stored_tensors(directory).items()}


def test_saving_what_was_loaded_changes_nothing(originals: dict[str, Path], tmp_path: Path) -> None:
    from motet.runtime.torch.checkpoint import save_model

    model = load_model(read_directory(originals["own"]))
    save_model(model, tmp_path)
    assert shapes(tmp_path) == shapes(originals["own"])
    (tmp_path / "tokenizer.json").write_bytes((originals["own"] / "tokenizer.json").read_bytes())
    again = load_model(read_directory(tmp_path))
    np.testing.assert_array_equal(logits(again, grid(3)), logits(model, grid(3)))


@pytest.mark.parametrize("kind", ["own", "published", "stock"])
def test_sharded(copy_of: Copy, kind: str) -> None:
    path = copy_of(kind)
    directory = read_directory(path)
    num_channels = directory.layout.num_channels
    whole = logits(load_model(directory), grid(num_channels))
    shard(path)
    assert not (path / WEIGHTS_FILE).exists()
    np.testing.assert_array_equal(logits(load_model(directory), grid(num_channels)), whole)


def test_a_tensor_named_after_channels_of_another_shape_is_not_taken(copy_of: Copy) -> None:
    """Neither by mistake for the embedding, nor silently dropped."""
    path = copy_of("published")
    change_tensors(path, lambda t: t.update({"channel_scale.weight": torch.ones(4)}))
    with pytest.raises(CheckpointError, match=r"unexpected: channel_scale\.weight"):
        load_model(read_directory(path))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_precision(originals: dict[str, Path], dtype: str) -> None:
    engine = motet.load(originals["own"], runtime="torch", dtype=dtype)
    kinds = {p.dtype for p in engine.runtime.model.parameters()}
    assert kinds == {getattr(torch, dtype)}
    exact = logits(multistream(OWN), grid(3))
    rough = logits(lambda tokens: engine.runtime.model(tokens).float(), grid(3))
    assert 0 < np.abs(rough - exact).max() < 0.3 * np.abs(exact).max()
    assert engine.ask("hi", engine.settings(max_rows=8)).rows > 4


@pytest.mark.parametrize("base", [moe_model, dense_model, qwen_model])
def test_stock_equals_transformers_greedy_generation(tmp_path: Path, base: Any) -> None:
    stock = base()
    path = write_stock(tmp_path / "stock", stock)
    engine = motet.load(path)
    assert engine.codec.layout.num_channels == 1
    prompt = engine.codec.encode("the cat sat")
    session = engine.open(engine.settings(sampling=Sampling(temperature=0.0), max_rows=40))
    session.give("the cat sat")
    list(engine.stream(session))
    got = session.grid.column(0).tolist()
    assert len(got) > len(prompt) + 5
    with torch.inference_mode():
        expected = stock.generate(
            torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=len(got) - len(prompt), do_sample=False,
        )[0].tolist()  # fmt: skip
    assert got == expected
    if session.stopped_by is StopReason.END:
        assert got[-1] == 1


def test_stock_end_token_and_sampling_are_read(copy_of: Copy) -> None:
    path = copy_of("stock")
    knobs = {"temperature": 0.2, "top_k": 80, "repetition_penalty": 1.05, "max_length": 9}
    (path / "generation_config.json").write_text(json.dumps(knobs), "utf-8")
    change_json(path, "config.json", eos_token_id=[1, 0])
    directory = read_directory(path)
    assert directory.layout == single_channel(OWN.end)
    engine = motet.load(path)
    assert engine.sampling == Sampling(0.2, 80, repetition_penalty=1.05)
    knobs = {"temperature": 0.2, "do_sample": False, "top_k": 80.0, "top_p": None}
    (path / "generation_config.json").write_text(json.dumps(knobs), "utf-8")
    assert motet.load(path).sampling == Sampling(0.0, 80)
    (path / "generation_config.json").unlink()
    assert motet.load(path).sampling == Sampling()
    for nothing in (None, -1, [], 10**6, 2**40, True):
        change_json(path, "config.json", eos_token_id=nothing)
        assert read_directory(path).layout.end is None


class TestLoadBaseFor:
    def test_a_stock_model_gets_a_fresh_embedding(self, originals: dict[str, Path]) -> None:
        directory = read_directory(originals["stock"])
        torch.manual_seed(0)
        model = load_base_for(directory, PUBLISHED)
        assert model.channel_embedding is not None
        weight = model.channel_embedding.weight
        assert tuple(weight.shape) == (4, 32)
        assert 0 < weight.std() < 0.1
        assert weight.requires_grad
        expected = multistream(PUBLISHED)
        assert expected.channel_embedding is not None
        expected.channel_embedding.weight.data.copy_(weight.data)
        np.testing.assert_array_equal(logits(model, grid(4)), logits(expected, grid(4)))

    def test_it_can_be_saved_and_opened(self, originals: dict[str, Path], tmp_path: Path) -> None:
        from motet.runtime.torch.checkpoint import save_model

        model = load_base_for(read_directory(originals["stock"]), TWO_CHANNELS)
        save_model(model, tmp_path)
        source = originals["stock"] / "tokenizer.json"
        (tmp_path / "tokenizer.json").write_bytes(source.read_bytes())
        directory = read_directory(tmp_path)
        assert directory.layout == TWO_CHANNELS
        again = load_model(directory)
        np.testing.assert_array_equal(logits(again, grid(2)), logits(model, grid(2)))

    @pytest.mark.parametrize("kind", ["own", "published"])
    def test_only_from_stock(self, originals: dict[str, Path], kind: str) -> None:
        with pytest.raises(CheckpointError, match="base model: expected a stock checkpoint"):
            load_base_for(read_directory(originals[kind]), PUBLISHED)


def test_experts_are_where_they_belong(tmp_path: Path) -> None:
    """The twin of equality above: two experts exchanged on disk are another model."""
    path = write_published(tmp_path / "model")
    before = logits(load_model(read_directory(path)), grid(4))

    def exchange(tensors: dict[str, Any]) -> None:
        stem = f"model.layers.{len(LAYER_TYPES) - 1}.feed_forward.experts"
        for part in ("w1", "w2", "w3"):
            a, b = f"{stem}.0.{part}.weight", f"{stem}.1.{part}.weight"
            tensors[a], tensors[b] = tensors[b], tensors[a]

    change_tensors(path, exchange)
    after = logits(load_model(read_directory(path)), grid(4))
    assert np.abs(after - before).max() > 0.1


def test_saving_says_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_own(tmp_path / "own")
    motet.load(tmp_path / "own")
    out, err = capfd.readouterr()
    assert out == ""
    assert err == ""
