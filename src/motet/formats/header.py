"""The header of a GGUF file, read strictly: nothing is believed before it was checked.

    magic "GGUF", version, number of tensors, number of metadata values
    metadata: key, type, value ...        tensors: name, ne, type, offset ...
    padding to the alignment, then tensor data

(GGUF specification, https://github.com/ggml-org/ggml, file docs/gguf.md.) Every count and length
is held against the bytes that are left before anything is allocated, so a hostile file costs no
more memory than its own size, and whatever is wrong is one CheckpointError.
"""

from __future__ import annotations

import math
import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from motet.errors import CheckpointError
from motet.formats.ggml_types import GGMLType

MAGIC = b"GGUF"
VERSION = 3
READABLE_VERSIONS = (2, 3)
DEFAULT_ALIGNMENT = 32
MAX_DIMENSIONS = 4
MAX_NAME_BYTES = 64
MAX_KEY_BYTES = 65535
_MIN_TENSOR_BYTES, _MIN_VALUE_BYTES = 24, 13

Value: TypeAlias = bool | int | float | str | list[str] | NDArray[Any]
Buffer: TypeAlias = bytes | mmap.mmap


class ValueType(IntEnum):
    """Type of a metadata value by its number in files."""

    UINT8 = 0
    INT8 = 1
    UINT16 = 2
    INT16 = 3
    UINT32 = 4
    INT32 = 5
    FLOAT32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    UINT64 = 10
    INT64 = 11
    FLOAT64 = 12


NUMBERS: dict[ValueType, np.dtype[Any]] = {
    ValueType.UINT8: np.dtype("<u1"),
    ValueType.INT8: np.dtype("<i1"),
    ValueType.UINT16: np.dtype("<u2"),
    ValueType.INT16: np.dtype("<i2"),
    ValueType.UINT32: np.dtype("<u4"),
    ValueType.INT32: np.dtype("<i4"),
    ValueType.FLOAT32: np.dtype("<f4"),
    ValueType.UINT64: np.dtype("<u8"),
    ValueType.INT64: np.dtype("<i8"),
    ValueType.FLOAT64: np.dtype("<f8"),
}


@dataclass(frozen=True)
class TensorInfo:
    """Where a tensor lies. shape: slowest dimension first; offset: in bytes from the file's start.

    type: a number of `GGMLType`.
    """

    name: str
    type: int
    shape: tuple[int, ...]
    offset: int
    num_bytes: int


@dataclass(frozen=True)
class Header:
    """Metadata by key, tensors by name, both in file order."""

    metadata: dict[str, Value]
    tensors: dict[str, TensorInfo]


def parse_header(data: Buffer, where: str) -> Header:
    """Read the header at the start of a whole file; CheckpointError if anything is wrong.

    Every tensor of the result lies inside `data`. `where` names the file in errors.
    """
    cursor = _Cursor(data, where)
    if cursor.take(4, "magic") != MAGIC:
        raise cursor.error("magic", "GGUF", bytes(data[:4]))
    version = cursor.uint32("version")
    if version not in READABLE_VERSIONS:
        is_swapped = version & 0xFFFF == 0
        got = "a big-endian file" if is_swapped else version
        raise cursor.error("version", " or ".join(map(str, READABLE_VERSIONS)), got)
    num_tensors = cursor.count("number of tensors", _MIN_TENSOR_BYTES)
    num_values = cursor.count("number of metadata values", _MIN_VALUE_BYTES)
    metadata: dict[str, Value] = {}
    for _ in range(num_values):
        key = cursor.string("key", MAX_KEY_BYTES)
        if key in metadata:
            raise cursor.error("metadata", "distinct keys", f"{key} twice")
        metadata[key] = cursor.value(key)
    alignment = _alignment(metadata, cursor)
    found = [_tensor(cursor, alignment) for _ in range(num_tensors)]
    start = -(-cursor.position // alignment) * alignment
    return Header(metadata, _placed(found, start, cursor))


class _Cursor:
    """A position in a file that cannot leave it."""

    def __init__(self, data: Buffer, where: str) -> None:
        self.data = data
        self.size = len(data)
        self.position = 0
        self._where = where

    def error(self, what: str, expected: object, got: object) -> CheckpointError:
        return CheckpointError(
            f"{self._where}: {what[:80]}", expected=expected, got=repr(got)[:80],
            fix="fetch or convert the file again",
        )  # fmt: skip

    def take(self, num_bytes: int, what: str) -> bytes:
        left = self.size - self.position
        if num_bytes > left:
            raise self.error(what, f"{num_bytes} more bytes", f"{left} until the end of the file")
        self.position += num_bytes
        return self.data[self.position - num_bytes : self.position]

    def uint32(self, what: str) -> int:
        return int.from_bytes(self.take(4, what), "little")

    def uint64(self, what: str) -> int:
        return int.from_bytes(self.take(8, what), "little")

    def count(self, what: str, min_bytes: int) -> int:
        """How many things follow, each of at least `min_bytes`."""
        number, most = self.uint64(what), (self.size - self.position) // min_bytes
        if number > most:
            raise self.error(what, f"at most {most} in what is left of the file", number)
        return number

    def string(self, what: str, max_bytes: int | None = None) -> str:
        """A text; with `max_bytes`, a name: not empty and not longer."""
        length = self.uint64(what)
        if max_bytes is not None and not 1 <= length <= max_bytes:
            raise self.error(what, f"at least 1 and at most {max_bytes} bytes", length)
        try:
            return str(self.take(length, what), "utf-8")
        except UnicodeDecodeError as error:
            raise self.error(what, "UTF-8", error) from None

    def value_type(self, what: str) -> ValueType:
        number = self.uint32(what)
        try:
            return ValueType(number)
        except ValueError:
            raise self.error(what, "a type of metadata", number) from None

    def value(self, key: str) -> Value:
        kind = self.value_type(key)
        if kind is ValueType.STRING:
            return self.string(key)
        if kind is ValueType.BOOL:
            return bool(self._flags(1, key)[0])
        if kind is ValueType.ARRAY:
            return self._array(key)
        number: int | float = self._numbers(kind, 1, key)[0].item()
        return number

    def _array(self, key: str) -> Value:
        kind = self.value_type(key)
        if kind is ValueType.STRING:
            return self._strings(self.count(key, min_bytes=8), key)
        if kind is ValueType.BOOL:
            return self._flags(self.count(key, min_bytes=1), key)
        if kind is ValueType.ARRAY:
            raise self.error(key, "no arrays of arrays", "one")
        return self._numbers(kind, self.count(key, NUMBERS[kind].itemsize), key)

    def _numbers(self, kind: ValueType, count: int, key: str) -> NDArray[Any]:
        return np.frombuffer(self.take(count * NUMBERS[kind].itemsize, key), NUMBERS[kind])

    def _flags(self, count: int, key: str) -> NDArray[np.bool_]:
        values = np.frombuffer(self.take(count, key), np.uint8)
        if (values > 1).any():
            raise self.error(key, "booleans of 0 or 1", values.max())
        return values.astype(np.bool_)

    def _strings(self, count: int, key: str) -> list[str]:
        """Hundreds of thousands of tokens: this loop is the time that opening a file takes."""
        data, size, position, length_at = self.data, self.size, self.position, _LENGTH.unpack_from
        strings = []
        try:
            for _ in range(count):
                start = position + 8
                position = start + length_at(data, position)[0]
                if position > size:
                    raise self.error(key, "strings inside the file", f"{position - size} beyond it")
                strings.append(str(data[start:position], "utf-8"))
        except struct.error:
            raise self.error(key, "a string", "the end of the file") from None
        except UnicodeDecodeError as error:
            raise self.error(key, "UTF-8", error) from None
        self.position = position
        return strings


_LENGTH = struct.Struct("<Q")


def _alignment(metadata: dict[str, Value], cursor: _Cursor) -> int:
    alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
    if type(alignment) is not int or not 8 <= alignment <= 1 << 20 or alignment.bit_count() != 1:
        raise cursor.error("general.alignment", "a power of two from 8 to 2^20", alignment)
    return alignment


def _tensor(cursor: _Cursor, alignment: int) -> TensorInfo:
    """One entry of the table; its offset still counts from the start of the tensor data."""
    name = cursor.string("tensor name", MAX_NAME_BYTES)
    num_dimensions = cursor.uint32(name)
    if not 1 <= num_dimensions <= MAX_DIMENSIONS:
        raise cursor.error(name, f"1 to {MAX_DIMENSIONS} dimensions", num_dimensions)
    shape = tuple(cursor.uint64(name) for _ in range(num_dimensions))[::-1]
    number, offset = cursor.uint32(name), cursor.uint64(name)
    try:
        kind = GGMLType(number)
    except ValueError:
        raise cursor.error(name, "a known tensor type", number) from None
    if 0 in shape or math.prod(shape) >= 1 << 48 or shape[-1] % kind.block_size:
        raise cursor.error(name, f"a shape of rows in blocks of {kind.block_size}", shape)
    if offset % alignment:
        raise cursor.error(name, f"an offset that is a multiple of {alignment}", offset)
    return TensorInfo(name, kind, shape, offset, kind.num_bytes(shape))


def _placed(found: list[TensorInfo], start: int, cursor: _Cursor) -> dict[str, TensorInfo]:
    """The tensors with offsets from the start of the file, all inside it."""
    tensors: dict[str, TensorInfo] = {}
    for info in found:
        if info.name in tensors:
            raise cursor.error("tensors", "distinct names", f"{info.name} twice")
        offset = start + info.offset
        if offset + info.num_bytes > cursor.size:
            raise cursor.error(
                info.name, f"{info.num_bytes} bytes at {offset}", f"a file of {cursor.size} bytes"
            )
        tensors[info.name] = TensorInfo(info.name, info.type, info.shape, offset, info.num_bytes)
    return tensors
