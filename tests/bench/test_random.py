"""Random weights: a valid file that nobody can take for a model, with nothing degenerate in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from motet.bench.random import RANDOM_KEY, cache_file, open_random, with_channels
from motet.bench.vocabulary import byte_tokenizer, channels_layout
from motet.errors import BenchError, CheckpointError
from motet.formats.dequantize import read_rows
from motet.formats.gguf import GGUFModel
from motet.formats.quantize import Quant
from motet.runtime.directory import codec_of, numbers_of
from motet.runtime.native import NativeRuntime, map_gguf
from motet.runtime.protocol import Wanted
from tests.bench.shapes import TINY

SILENT = lambda _: None  # noqa: E731


def test_it_says_that_it_is_no_model(tiny_file: GGUFModel) -> None:
    assert tiny_file.metadata["general.name"] == "RANDOM WEIGHTS in the shape of tiny, no model"
    assert tiny_file.metadata[RANDOM_KEY] == "tiny q4_0, version 1"


def test_it_has_the_shape(tiny_file: GGUFModel) -> None:
    numbers = numbers_of(tiny_file)
    assert numbers.norm_eps == pytest.approx(TINY.norm_eps)  # float32 in files
    assert replace(numbers, norm_eps=TINY.norm_eps) == TINY
    assert {name: info.shape for name, info in tiny_file.tensors.items()} == TINY.shapes()


def test_it_is_written_once(tiny_file: GGUFModel) -> None:
    said: list[str] = []
    before = tiny_file.path.stat().st_mtime_ns
    open_random(tiny_file.path, "tiny", TINY, Quant.Q4_0, say=said.append)
    assert tiny_file.path.stat().st_mtime_ns == before
    assert said == []


def test_the_same_file_again(tiny_file: GGUFModel, tmp_path: Path) -> None:
    again = open_random(tmp_path / "x" / "again.gguf", "tiny", TINY, Quant.Q4_0, say=SILENT)
    assert again.path.read_bytes() == tiny_file.path.read_bytes()


def test_another_file_is_not_taken_for_it(tiny_file: GGUFModel) -> None:
    with pytest.raises(BenchError, match=r"expected random weights of tiny q8_0, version 1, got"):
        open_random(tiny_file.path, "tiny", TINY, Quant.Q8_0, say=SILENT)


def test_a_disk_without_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(CheckpointError, match="expected room for"):
        open_random(tmp_path / "tiny.gguf", "tiny", TINY, Quant.Q4_0, say=SILENT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("quant", [Quant.F16, Quant.Q8_0, Quant.Q4_K])
def test_every_quantisation(tmp_path: Path, quant: Quant) -> None:
    file = open_random(tmp_path / "tiny.gguf", "tiny", TINY, quant, say=SILENT)
    assert logits(file).shape == (3, 4, 320)


def test_weights_are_normal_and_no_two_rows_are_the_same(tiny_file: GGUFModel) -> None:
    info = tiny_file.tensors["blk.1.ffn_up_exps.weight"]
    rows = np.concatenate(list(read_rows(tiny_file.path, info)))
    assert rows.std() == pytest.approx(1 / 8, rel=0.05)
    gate = read_rows(tiny_file.path, tiny_file.tensors["blk.1.ffn_gate_exps.weight"])
    both = np.concatenate([rows, *gate])
    assert len(np.unique(both, axis=0)) == len(both)


def test_logits_are_lively(tiny_file: GGUFModel) -> None:
    out = logits(tiny_file)
    assert np.isfinite(out).all()
    assert 0.02 < out.std() < 5
    assert np.abs(out[0, 0] - out[0, 1]).max() > 0.01


def test_experts_are_chosen_evenly(tiny_file: GGUFModel) -> None:
    """Nearly as evenly as dice would: 8 experts, 2 a cell, 3 layers."""
    runtime = NativeRuntime(map_gguf(tiny_file))
    tokens = np.random.default_rng(0).integers(320, size=(256, 1), dtype=np.int32)
    runtime.forward([runtime.open(256)], [tokens], wanted=Wanted.ALL)
    layers = runtime.last_experts()
    assert [experts.shape for experts in layers] == [(256, 2)] * 3
    for experts in layers:
        assert np.bincount(experts.ravel(), minlength=8).min() > 256 * 2 / 8 / 4


def test_its_text_survives(tiny_file: GGUFModel) -> None:
    codec = codec_of(tiny_file)
    assert codec.decode(codec.encode("Hé <|end|>\n")) == "Hé <|end|>\n"
    assert codec.vocab_size == 320


@pytest.mark.parametrize("num_channels", [1, 2, 4, 7])
def test_layouts_fit_the_tokenizer(num_channels: int) -> None:
    layout = channels_layout(num_channels)
    assert layout.num_channels == num_channels
    for token in filter(None, (layout.silence, layout.end)):
        assert byte_tokenizer(320).id_to_token(token.id) == token.text


def test_a_vocabulary_without_room_for_bytes() -> None:
    with pytest.raises(BenchError, match="vocabulary: expected at least 258 tokens, got 257"):
        byte_tokenizer(257)


def test_where_it_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_file("tiny", Quant.Q4_0, None) == tmp_path / "motet/random/tiny-q4_0.gguf"
    other = cache_file("tiny", Quant.Q4_0, Quant.Q6_K)
    assert other == tmp_path / "motet/random/tiny-q4_0-embedding-q6_k.gguf"


def logits(file: GGUFModel) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Logits [R, 4, V] of three rows of four random cells."""
    runtime = NativeRuntime(map_gguf(with_channels(file, 4)))
    tokens = np.random.default_rng(0).integers(320, size=(3, 4), dtype=np.int32)
    (out,) = runtime.forward([runtime.open(8)], [tokens], wanted=Wanted.ALL)
    return out
