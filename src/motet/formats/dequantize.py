"""Blocks of any ggml type as float32 numbers, by ggml's own arithmetic."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import ggml
import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType
from motet.formats.header import TensorInfo

CHUNK_BYTES = 1 << 24


def read_rows(
    path: Path, info: TensorInfo, max_bytes: int = CHUNK_BYTES
) -> Iterator[NDArray[np.float32]]:
    """The rows of a tensor in order, as blocks [n, width] of at most `max_bytes` (or one row).

    Raises CheckpointError if ggml can't turn the type into numbers, or the file became shorter.
    """
    kind, width = GGMLType(info.type), info.shape[-1]
    row_bytes = kind.num_bytes((width,))
    num_rows = info.num_bytes // row_bytes
    step = max(1, max_bytes // (4 * width))
    with path.open("rb") as file:
        file.seek(info.offset)
        for first in range(0, num_rows, step):
            count = min(step, num_rows - first)
            data = file.read(count * row_bytes)
            if len(data) < count * row_bytes:
                raise CheckpointError(str(path), expected="a file that stays as it is")
            yield _numbers(data, kind, count * width, info.name).reshape(count, width)


def _numbers(data: bytes, kind: GGMLType, count: int, name: str) -> NDArray[np.float32]:
    if kind is GGMLType.F32:
        return np.frombuffer(data, "<f4").astype(np.float32, copy=False)
    to_float = ggml.ggml_get_type_traits(kind).contents.to_float
    if not to_float:
        raise CheckpointError(f"{name}: type", expected="one that holds numbers", got=kind.name)
    numbers = np.empty(count, np.float32)
    to_float(data, numbers.ctypes.data_as(ctypes.POINTER(ctypes.c_float)), count)
    return numbers
