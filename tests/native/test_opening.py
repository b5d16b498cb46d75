"""From a name to a native runtime: directories, GGUF files, and the choices there are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import motet
from motet.errors import CheckpointError, SettingError
from motet.formats.convert import convert
from motet.formats.directory import read_directory
from motet.formats.ggml_types import GGMLType
from motet.formats.gguf import read_gguf
from motet.formats.quantize import Quant
from motet.runtime import opening
from motet.runtime.directory import name_of, read_source
from motet.runtime.native import NativeRuntime, map_gguf, read_model, weights
from motet.runtime.opening import CacheType, Dtype, RuntimeName, open_runtime
from motet.runtime.torch import TorchRuntime
from motet.streams import ConvMode
from tests.checkpoint.directories import write_own, write_published, write_stock
from tests.laws.checks import random_rows, read_alone
from tests.laws.tolerance import assert_same, assert_seen


@pytest.fixture(scope="module")
def directories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    writers = {"own": write_own, "published": write_published, "stock": write_stock}
    return {name: write(root / name) for name, write in writers.items()}


@pytest.fixture(scope="module")
def files(
    directories: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The same models, each as one file of float32."""
    root = tmp_path_factory.mktemp("files")
    for name, directory in directories.items():
        convert(directory, root / f"{name}.gguf", Quant.F32)
    return {name: root / f"{name}.gguf" for name in directories}


@pytest.mark.parametrize("kind", ["own", "published", "stock"])
def test_directory_and_file_equal_torch(
    directories: dict[str, Path], files: dict[str, Path], kind: str
) -> None:
    expected_of = open_runtime(read_source(directories[kind]), RuntimeName.TORCH)
    rows = random_rows(expected_of, 10)
    expected = read_alone(expected_of, rows)
    for path in (directories[kind], files[kind]):
        runtime = open_runtime(read_source(path), cache=CacheType.F32)
        assert isinstance(runtime, NativeRuntime)
        assert runtime.layout == expected_of.layout
        assert_same(read_alone(runtime, rows), expected, f"{path}")


@pytest.mark.parametrize("kind", ["own", "published", "stock"])
def test_an_engine_talks_the_same_from_either(
    directories: dict[str, Path], files: dict[str, Path], kind: str
) -> None:
    replies = []
    for path in (directories[kind], files[kind]):
        engine = motet.load(path, threads=1)
        assert engine.name == kind
        replies.append(engine.ask("hello", engine.settings(seed=3, max_rows=20)))
    assert replies[0].channels == replies[1].channels
    assert replies[0].rows == replies[1].rows


def test_a_file_is_called_by_its_stem(files: dict[str, Path]) -> None:
    assert name_of(read_source(files["own"])) == "own"


def test_conv_mode_replaces_what_the_layout_says(files: dict[str, Path]) -> None:
    source = read_source(files["own"])
    column, boundary = (open_runtime(source, conv_mode=mode) for mode in ConvMode)
    assert boundary.layout.conv_mode is ConvMode.ROW_BOUNDARY
    rows = random_rows(column, 6)
    assert_seen(read_alone(column, rows), read_alone(boundary, rows), "the other mode")


@pytest.mark.parametrize("dtype", [Dtype.FLOAT16, Dtype.BFLOAT16])
def test_precision_of_a_directory(directories: dict[str, Path], dtype: Dtype) -> None:
    exact, rough = (
        open_runtime(read_source(directories["own"]), RuntimeName.NATIVE, dtype=d)
        for d in (None, dtype)
    )
    kinds = {w.type for name, w in rough.model.weights.items() if len(w.shape) == 3}  # type: ignore[attr-defined]
    assert kinds == {GGMLType.F16 if dtype is Dtype.FLOAT16 else GGMLType.BF16}
    rows = random_rows(exact, 5)
    expected = read_alone(exact, rows)
    difference = np.abs(read_alone(rough, rows) - expected).max()
    assert 0 < difference < 0.3 * np.abs(expected).max()


def test_settings_that_a_runtime_does_not_have(
    directories: dict[str, Path], files: dict[str, Path]
) -> None:
    directory, file = read_source(directories["own"]), read_source(files["own"])
    with pytest.raises(SettingError, match="runtime torch: expected a model directory, got the fi"):
        open_runtime(file, RuntimeName.TORCH)
    with pytest.raises(SettingError, match="dtype: expected none for a GGUF file"):
        open_runtime(file, dtype=Dtype.FLOAT16)
    with pytest.raises(SettingError, match="cache: expected none with the torch runtime, got q8_0"):
        open_runtime(directory, RuntimeName.TORCH, cache=CacheType.Q8_0)
    with pytest.raises(SettingError, match="threads: expected none with the torch runtime, got 1"):
        open_runtime(directory, RuntimeName.TORCH, threads=1)
    with pytest.raises(SettingError, match="threads: expected at least 1, got 0"):
        open_runtime(directory, threads=0)


def test_auto_without_kernels_is_torch(
    directories: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "native_is_installed", lambda: False)
    source = read_source(directories["own"])
    assert isinstance(open_runtime(source), TorchRuntime)
    with pytest.raises(SettingError, match="runtime native: expected ggml-python and compiled"):
        open_runtime(source, RuntimeName.NATIVE)


def test_a_large_directory_is_refused_with_advice(
    directories: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "MOST_IN_MEMORY_BYTES", 1000)
    with pytest.raises(CheckpointError, match="make one file of it with motet convert"):
        open_runtime(read_source(directories["own"]))


def test_the_model_in_memory_is_the_model_in_the_file(
    directories: dict[str, Path], files: dict[str, Path]
) -> None:
    held = read_model(read_directory(directories["own"]), GGMLType.F32)
    mapped = map_gguf(read_gguf(files["own"]))
    eps = mapped.hyperparameters.norm_eps  # files keep it as float32
    assert held.hyperparameters.norm_eps == pytest.approx(eps, rel=1e-6)
    assert replace(held.hyperparameters, norm_eps=eps) == mapped.hyperparameters
    assert held.layout == mapped.layout
    assert held.weights.keys() == mapped.weights.keys()
    for name, weight in held.weights.items():
        other = mapped.weights[name]
        assert (weight.type, weight.shape) == (other.type, other.shape), name
        assert np.array_equal(weight.data, other.data), name
