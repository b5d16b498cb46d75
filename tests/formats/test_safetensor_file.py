"""Safetensors files are read as the library reads them, and broken ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from motet.errors import CheckpointError
from motet.formats.safetensor_file import read_safetensors

DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@pytest.mark.parametrize("name", DTYPES)
def test_numbers_are_those_that_were_saved(name: str, tmp_path: Path) -> None:
    numbers = torch.randn(5, 3, 7, generator=torch.Generator().manual_seed(0)).to(DTYPES[name])
    numbers[0, 0, :4] = torch.tensor([float("inf"), -0.0, 1e-7, 65504.0]).to(DTYPES[name])
    save_file({"other": torch.ones(3), "x": numbers}, tmp_path / "w.safetensors")
    stored = read_safetensors(tmp_path / "w.safetensors")["x"]
    assert (stored.dtype, stored.shape) == (name, (5, 3, 7))
    got = stored.read(0, 105)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, numbers.float().numpy().ravel())
    np.testing.assert_array_equal(stored.read(11, 20), got[11:31])


def entry(dtype: object = "F32", shape: object = (2,), offsets: object = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


BROKEN = {
    "an unknown type": entry("F8_E4M3"),
    "a type that is a list": entry(["F32"]),
    "a negative shape": entry(shape=[-2]),
    "a shape of fractions": entry(shape=[2.0]),
    "a shape that is a number": entry(shape=2),
    "an overlong tensor": entry(shape=[3], offsets=[0, 12]),
    "an offset before the start": entry(offsets=[-8, 0]),
    "bytes that are too many": entry(shape=[1]),
    "one offset": entry(offsets=[0]),
    "offsets that are true": entry(shape=[0], offsets=[True, True]),
    "no type": {"shape": [2], "data_offsets": [0, 8]},
    "nothing": None,
}


def write(path: Path, header: object, data: bytes = bytes(8)) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_refuses_a_tensor(broken: object, tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", {"x": broken})
    with pytest.raises(CheckpointError, match=r"w\.safetensors: expected "):
        read_safetensors(path)


@pytest.mark.parametrize("header", [b"{", b"[]", b"\xff\xff", b"[" * 20000, b"{}" + b" " * 0])
def test_refuses_a_header(header: bytes, tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", header)
    if header == b"{}":
        assert read_safetensors(path) == {}
        return
    with pytest.raises(CheckpointError):
        read_safetensors(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(data)
    try:
        tensors = read_safetensors(path)
    except CheckpointError:
        return
    assert tensors == {}


def test_a_file_that_shrinks_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path / "w.safetensors", {"x": entry()})
    stored = read_safetensors(path)["x"]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match="shorter"):
        stored.read(0, 2)
    path.unlink()
    with pytest.raises(OSError, match="No such file"):
        stored.read(0, 2)
