"""A safetensors file, read strictly and without PyTorch: rows of numbers as float32.

    8 bytes: length of the header | header: JSON | tensor data

(https://github.com/huggingface/safetensors, section Format.) bfloat16, which NumPy lacks, is the
upper half of a float32. Rows are read with ordinary reads, not mapped: a checkpoint larger than
memory passes through a buffer of the size of what is asked.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError

MAX_HEADER_BYTES = 100_000_000
_NUMPY: dict[str, np.dtype[Any]] = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),
}


@dataclass(frozen=True)
class StoredTensor:
    """One tensor of a file. dtype: F32, F16 or BF16; offset: bytes from the file's start."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def read(self, start: int, count: int) -> NDArray[np.float32]:
        """Numbers `start` to `start + count` of the flattened tensor, as float32."""
        kind = _NUMPY[self.dtype]
        with self.path.open("rb") as file:
            file.seek(self.offset + start * kind.itemsize)
            numbers: NDArray[Any] = np.fromfile(file, kind, count)
        if len(numbers) < count:
            raise CheckpointError(
                str(self.path), expected="a file that stays as it is", got="a shorter one"
            )
        if self.dtype == "BF16":
            numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(numbers, np.float32)


def read_safetensors(path: Path) -> dict[str, StoredTensor]:
    """The tensors of a file by key, all inside it; CheckpointError if it is broken."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(0)
            length = int.from_bytes(file.read(8), "little")
            if not 2 <= length <= min(size - 8, MAX_HEADER_BYTES):
                raise _broken(path, f"a header of {length} bytes in a file of {size}")
            header = json.loads(file.read(length))
    except OSError as error:
        raise CheckpointError("weights", expected=str(path), got=error.strerror) from None
    except (ValueError, RecursionError) as error:
        raise _broken(path, error) from None
    if not isinstance(header, dict):
        raise _broken(path, "a header that is no JSON object")
    header.pop("__metadata__", None)
    start, room = 8 + length, size - 8 - length
    return {key: _tensor(path, key, entry, start, room) for key, entry in header.items()}


def _tensor(path: Path, key: str, entry: object, start: int, room: int) -> StoredTensor:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]  # type: ignore[index]
        kind = _NUMPY[dtype]
        natural = all(type(n) is int and n >= 0 for n in [*shape, begin, end])
    except (KeyError, TypeError, ValueError):
        raise _broken(path, f"{key}: {entry!r}"[:200], f"one of {', '.join(_NUMPY)}") from None
    if not natural or end > room or end - begin != math.prod(shape) * kind.itemsize:
        raise _broken(path, f"{key}: {entry!r}"[:200])
    return StoredTensor(path, dtype, tuple(shape), start + begin)


def _broken(path: Path, got: object, expected: str = "a whole safetensors file") -> CheckpointError:
    return CheckpointError(str(path), expected=expected, got=got, fix="fetch it again")
