"""Interleaved weights in a cache file: the same numbers, and whole or not at all."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from motet.formats.convert import convert
from motet.formats.gguf import read_gguf
from motet.formats.quantize import Quant
from motet.runtime.native import KVType, Model, NativeRuntime, map_gguf, tiles
from motet.runtime.native.paths import Kernels
from motet.runtime.native.tiles import Tiles
from motet.runtime.native.weights import Weight
from tests.laws.checks import random_rows, read_alone


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """motet-tiny in 4 bits, mapped."""
    file = tmp_path_factory.mktemp("tiles") / "tiny.gguf"
    convert("motet-tiny", file, Quant.Q4_0)
    return map_gguf(read_gguf(file))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that does not exist yet, for models of any size."""
    monkeypatch.setattr(tiles, "MIN_FILE_BYTES", 0)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "motet" / "tiles"


def names(model: Model) -> list[str]:
    runtime = NativeRuntime(model, num_threads=1)
    return [name for name, path in runtime.paths.items() if path.is_own]


def test_small_models_leave_no_file(model: Model, tmp_path: Path) -> None:
    made = Tiles(model, names(model), 1, tmp_path / "none")
    assert made.file is None
    assert made.num_bytes > 0
    assert not (tmp_path / "none").exists()


def test_a_file_is_read_ahead(model: Model, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own, asked = names(model), list[Path]()
    monkeypatch.setattr(tiles, "read_ahead", asked.append)
    made = Tiles(model, own, 1)
    assert asked == [made.file]


def test_a_file_holds_what_memory_would(model: Model, folder: Path, tmp_path: Path) -> None:
    own = names(model)
    first, again = Tiles(model, own, 2), Tiles(model, own, 1)
    assert first.file == again.file == next(iter(folder.iterdir()))
    assert first.num_bytes == 0
    blocked = tmp_path / "blocked"
    blocked.write_bytes(b"no folder")
    held = Tiles(model, own, 1, blocked)
    assert held.file is None
    for name in own:
        weight = model.weights[name]
        place = held._places[name]
        assert np.array_equal(held._content[place], first._content[place])
        assert len(held._content[place]) == len(weight.data)


def test_the_same_logits(model: Model, folder: Path) -> None:
    runtimes = [NativeRuntime(model, kv_type=KVType.F32, num_threads=1) for _ in range(2)]
    rows = random_rows(runtimes[0], 4)
    expected = read_alone(runtimes[0], rows)
    assert np.array_equal(read_alone(runtimes[1], rows), expected)
    stock = NativeRuntime(model, kv_type=KVType.F32, num_threads=1, kernels=Kernels.STOCK)
    assert not any(path.is_own for path in stock.paths.values())
    difference = np.abs(read_alone(stock, rows) - expected).mean()
    assert 0 < difference < 0.2 * expected.std()


def test_a_folder_of_ones_own(model: Model, folder: Path, tmp_path: Path) -> None:
    NativeRuntime(model, num_threads=1, tiles_folder=tmp_path / "mine")
    assert len(list((tmp_path / "mine").iterdir())) == 1
    assert not folder.exists()


def test_a_cut_file_is_made_anew(model: Model, folder: Path) -> None:
    own = names(model)
    made = Tiles(model, own, 1)
    assert made.file is not None
    whole = made.file.read_bytes()
    made.file.write_bytes(whole[:-1])
    Tiles(model, own, 1)
    assert made.file.read_bytes() == whole


def test_an_interrupted_write_leaves_nothing(
    model: Model, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = names(model), tmp_path / "other"
    original, left = tiles.interleave, [5]

    def interrupted(*arguments: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(tiles, "interleave", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Tiles(model, own, 1, other)
    assert list(other.iterdir()) == []


def test_no_room_means_memory(
    model: Model, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = names(model), tmp_path / "other"
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100))
    assert Tiles(model, own, 1, other).file is None
    assert list(other.iterdir()) == []


def test_another_model_has_another_file(model: Model, folder: Path) -> None:
    own = names(model)
    name = own[0]
    weight = model.weights[name]
    changed = Weight(weight.type, weight.shape, weight.data ^ 1)
    other = replace(model, weights={**model.weights, name: changed})
    assert Tiles(model, own, 1).file != Tiles(other, own, 1).file
    assert len(list(folder.iterdir())) == 2
