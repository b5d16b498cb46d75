"""GGUF files written from front to back, tensor by tensor, chunk by chunk.

What is written is told by its Python type: bool, str, int (as UINT32), float (as FLOAT32), a list
of strings, or an array of numbers or booleans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType
from motet.formats.header import DEFAULT_ALIGNMENT, MAGIC, NUMBERS, VERSION, Value, ValueType

Advance: TypeAlias = Callable[[int], None]
_TYPES = {dtype: kind for kind, dtype in NUMBERS.items()}


@dataclass(frozen=True)
class NewTensor:
    """A tensor to be written. shape: slowest dimension first. chunks: its bytes, from the start."""

    name: str
    type: GGMLType
    shape: tuple[int, ...]
    chunks: Callable[[], Iterable[NDArray[Any]]]

    @property
    def num_bytes(self) -> int:
        """Bytes of its data."""
        return self.type.num_bytes(self.shape)


def write_gguf(
    file: BinaryIO,
    metadata: Mapping[str, Value],
    tensors: Sequence[NewTensor],
    advance: Advance | None = None,
) -> None:
    """Write a whole file to `file`, which is at its start. advance: told the bytes of each chunk.

    Raises CheckpointError if a tensor's chunks are not as many bytes as its shape says.
    """
    file.write(MAGIC + VERSION.to_bytes(4, "little"))
    file.write(_uint64(len(tensors)) + _uint64(len(metadata)))
    for key, value in metadata.items():
        file.write(_string(key) + _typed(value))
    offset = 0
    for tensor in tensors:
        ne = b"".join(map(_uint64, reversed(tensor.shape)))
        file.write(_string(tensor.name) + len(tensor.shape).to_bytes(4, "little") + ne)
        file.write(tensor.type.to_bytes(4, "little") + _uint64(offset))
        offset += tensor.num_bytes + _padding(tensor.num_bytes)
    file.write(bytes(_padding(file.tell())))
    for tensor in tensors:
        num_bytes = 0
        for chunk in tensor.chunks():
            file.write(chunk.data)
            num_bytes += chunk.nbytes
            if advance is not None:
                advance(chunk.nbytes)
        if num_bytes != tensor.num_bytes:
            raise CheckpointError(tensor.name, expected=f"{tensor.num_bytes} bytes", got=num_bytes)
        file.write(bytes(_padding(num_bytes)))


def _typed(value: Value) -> bytes:
    """A metadata value behind its type."""
    if isinstance(value, bool):
        return _kind(ValueType.BOOL) + bytes([value])
    if isinstance(value, int):
        return _kind(ValueType.UINT32) + value.to_bytes(4, "little")
    if isinstance(value, float):
        return _kind(ValueType.FLOAT32) + np.array(value, "<f4").tobytes()
    if isinstance(value, str):
        return _kind(ValueType.STRING) + _string(value)
    if isinstance(value, list):
        items = b"".join(map(_string, value))
        return _kind(ValueType.ARRAY) + _kind(ValueType.STRING) + _uint64(len(value)) + items
    kind = ValueType.BOOL if value.dtype == np.bool_ else _TYPES[value.dtype.newbyteorder("<")]
    numbers = value.astype(value.dtype.newbyteorder("<")).tobytes()
    return _kind(ValueType.ARRAY) + _kind(kind) + _uint64(value.size) + numbers


def _kind(kind: ValueType) -> bytes:
    return kind.to_bytes(4, "little")


def _uint64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def _string(text: str) -> bytes:
    data = text.encode("utf-8")
    return _uint64(len(data)) + data


def _padding(num_bytes: int) -> int:
    """Bytes from here to the next multiple of the alignment."""
    return -num_bytes % DEFAULT_ALIGNMENT
